"""The limit on tries of the current password, in a session."""

from __future__ import annotations

from contextlib import AbstractContextManager

from flask_login import current_user

from portal.http.proving import proving


def account_id() -> int:
    """The account that is signed in; 0 for nobody."""
    return current_user.account_id if current_user.is_authenticated else 0


def proof() -> AbstractContextManager[None]:
    """Give the try back that ``limits.may_prove`` counted, unless the password was wrong."""
    return proving(account_id())
