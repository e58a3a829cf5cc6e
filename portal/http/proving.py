"""The limit on tries of the current password, one for pages and API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from portal.http.request import client_address
from portal.services.core.errors import InvalidInput
from portal.services.ratelimits import questions


@contextmanager
def proving(account_id: int) -> Iterator[None]:
    """Give the try back that ``limits.may_prove`` counted, unless the password was wrong."""
    wrong = False
    try:
        yield
    except InvalidInput as error:
        wrong = error.code == "passwordWrong"
        raise
    finally:
        if not wrong:
            questions.proved(client_address(), account_id)
