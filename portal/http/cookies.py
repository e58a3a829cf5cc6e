"""The browser's cookie is for pages: the API never reads it, and never sets one.

The clock of the machine that signed it, or a form's token, may be ahead of ours by a leeway.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, current_app, g
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface
from flask_wtf import CSRFProtect
from itsdangerous import BadSignature, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from portal import clock
from portal.http.request import API

LEEWAY = clock.LEEWAY_MS // 1000
FORM_LIFE = 8 * 60 * 60
"""Seconds for which a form can be sent after it was loaded."""

_NONE = NullSession()


class LenientSigner(TimestampSigner):
    """Takes what a machine signed whose clock is a little ahead or behind.

    itsdangerous itself takes whatever was signed in the next second for expired.
    """

    def unsign(self, signed_value: Any, max_age: int | None = None, return_timestamp: bool = False) -> Any:
        """The value; raises BadSignature, and SignatureExpired when it is out of its time."""
        value, signed_at = super().unsign(signed_value, return_timestamp=True)
        age = self.get_timestamp() - int(signed_at.timestamp())
        if max_age is not None and not -LEEWAY <= age <= max_age + LEEWAY:
            raise SignatureExpired(f"signed {age} seconds ago", payload=value, date_signed=signed_at)
        return (value, signed_at) if return_timestamp else value


class SessionSigner(LenientSigner):
    """Signs with the portal's time, which does not go back."""

    def get_timestamp(self) -> int:
        """The present second."""
        return clock.now_ms() // 1000


class FormTokens(CSRFProtect):  # type: ignore[misc]  # Flask-WTF has no types
    """Asks each form that is posted for its token, and for one that is not too old.

    The age is looked at here, and not by Flask-WTF (``WTF_CSRF_TIME_LIMIT`` is None), which knows
    no leeway. It signs with the system's time, so that is what the age is taken from.
    """

    def protect(self, apply_exemptions: bool = False) -> None:
        """Raise CSRFError for a form without its token, and for one that is too old."""
        super().protect(apply_exemptions)
        if "csrf_valid" not in g:
            return
        try:
            self._read(max_age=FORM_LIFE)
        except BadSignature as error:
            self._error_response(str(error))

    def has_signed(self) -> bool:
        """Whether we made the token of this request, whenever and for whichever session that was."""
        try:
            self._read(max_age=None)
        except BadSignature:
            return False
        return True

    def _read(self, *, max_age: int | None) -> None:
        """Raise BadSignature for a token that we did not make, or that is older than so many seconds."""
        signed = URLSafeTimedSerializer(current_app.secret_key or "", "wtf-csrf-token", signer=LenientSigner)
        signed.loads(self._get_csrf_token() or "", max_age=max_age)


csrf = FormTokens()


class PagesOnlySession(SecureCookieSessionInterface):
    """Opens no session under ``/api``; writing to it there raises RuntimeError.

    A key check pays nothing for a cookie that it must not believe.
    """

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie of a page."""
        if request.environ["PATH_INFO"].startswith(API):
            return _NONE
        return super().open_session(app, request)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """What signs and reads the cookie."""
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            serializer.signer = SessionSigner
        return serializer
