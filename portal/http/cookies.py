"""The browser's cookie is for pages: the API never reads it, and never sets one."""

from __future__ import annotations

from flask import Flask, Request
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface

from portal.http.request import API

_NONE = NullSession()


class PagesOnlySession(SecureCookieSessionInterface):
    """Opens no session under ``/api``; writing to it there raises RuntimeError.

    A key check pays nothing for a cookie that it must not believe.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie of a page."""
        if request.environ["PATH_INFO"].startswith(API):
            return _NONE
        return super().open_session(app, request)
