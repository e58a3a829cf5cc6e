"""What the tests of the API share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from portal.models import ActorKind, SessionKind
from portal.services.auth import jwt, sessions
from portal.services.core.actor import Actor
from portal.services.core.transaction import get_account_for_update, transaction
from tests.conftest import MakeApp
from tests.support.cast import Person
from tests.support.client import PageChecker

Headers = dict[str, str]
STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="127.0.0.1")
Bearer = Callable[[Person], Headers]


@pytest.fixture
def bearer(app: Flask) -> Bearer:
    """Sign somebody in without the cost of a password: ``headers=bearer(cast.alice)``."""

    def sign_in(person: Person) -> Headers:
        with app.app_context():
            with transaction() as session:
                account = get_account_for_update(session, person.account_id)
                assert account
                signed, _token = sessions.start(session, STRANGER, account, SessionKind.JWT)
            return {"Authorization": f"Bearer {jwt.issue(signed)}"}

    return sign_in


@pytest.fixture
def unlimited(make_app: MakeApp) -> PageChecker:
    """A client of an application without limits, for tests that ask very often."""
    client = make_app(PORTAL_LIMITS_ENABLED="false").test_client()
    assert isinstance(client, PageChecker)
    return client
