"""The people of the tests: Alice owns, Bob is a stranger, Sue is support, Ada is admin."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from unittest.mock import patch

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.models import ActorKind
from portal.permissions import Role
from portal.services import passwords, profile, signup
from portal.services.actor import Actor
from tests.support.client import PageChecker


@dataclass(frozen=True)
class Person:
    """Somebody with an active account that has given consent."""

    name: str
    email: str
    password: str
    role: Role
    account_id: int

    @property
    def actor(self) -> Actor:
        """This person, as the services know whoever sits at a browser."""
        return Actor(ActorKind.BROWSER, account_id=self.account_id, address="127.0.0.1")

    def sign_in(self, client: FlaskClient) -> TestResponse:
        """Sign the client in through the form, as a person does."""
        assert isinstance(client, PageChecker)
        response = client.submit("/signin", {"username": self.email, "password": self.password})
        assert response.status_code in {302, 303}, f"{self.name} could not sign in: {response.status_code}"
        return response


@dataclass(frozen=True)
class Cast:
    """Those who are in every story."""

    alice: Person
    bob: Person
    sue: Person
    ada: Person

    def __iter__(self) -> Iterator[Person]:
        return iter((self.alice, self.bob, self.sue, self.ada))


@dataclass(frozen=True)
class MadeKey:
    """A key and, since it was made just now, its secret."""

    id: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """What ``curl -u key:secret`` sends."""
        pair = base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}


def make_person(app: Flask, name: str, role: Role = Role.USER, password: str | None = None) -> Person:
    """Make an account through the services, with a name that can be read."""
    email = f"{name}@example.org"
    password = password or f"violet-harbour-{name[::-1]}-71"
    command_line = Actor.command_line()
    with app.app_context(), patch.object(passwords, "hash_password", _hash_once):
        account_id = signup.create_account(command_line, email, role=role, password=password).id
        profile.update_profile(Actor(ActorKind.BROWSER, account_id=account_id), username=name)
    return Person(name, email, password, role, account_id)


def make_cast(app: Flask) -> Cast:
    """Make the four accounts."""
    return Cast(
        alice=make_person(app, "alice"),
        bob=make_person(app, "bobby"),
        sue=make_person(app, "sue", Role.SUPPORT),
        ada=make_person(app, "ada", Role.ADMIN),
    )


_hash_password = passwords.hash_password


@cache
def _hash_once(password: str) -> str:
    """The true hash of a password, made once in a test run instead of once in a test."""
    return _hash_password(password)
