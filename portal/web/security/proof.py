"""The limit on tries of the current password, in a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask_login import current_user

from portal.http import client_address
from portal.services import limits
from portal.services.errors import InvalidInput


def account_id() -> int:
    """The account that is signed in; 0 for nobody."""
    return current_user.account_id if current_user.is_authenticated else 0


@contextmanager
def proof() -> Iterator[None]:
    """Give the try back that ``limits.may_prove`` counted, unless the password was wrong."""
    owner, wrong = account_id(), False
    try:
        yield
    except InvalidInput as error:
        wrong = error.code == "passwordWrong"
        raise
    finally:
        if not wrong:
            limits.proved(client_address(), owner)
