"""The people of the tests: Alice owns, Bob is a stranger, Sue is support, Ada is admin."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any
from typing import cast as cast_type
from unittest.mock import patch
from uuid import UUID, uuid4

from flask import Flask, has_app_context
from flask.testing import FlaskClient
from sqlalchemy import Column, Table, delete, func, insert, select
from werkzeug.test import TestResponse

from portal import clock
from portal.extensions import db
from portal.models import Account, ActorKind, AuditEvent, SessionKind, UserSession
from portal.permissions import Role
from portal.services.accounts import signup
from portal.services.accounts.update import change_account
from portal.services.auth import passwords
from portal.services.auth.session_life import may_go_on
from portal.services.core.actor import Actor
from tests.support.client import PageChecker

SEAT = "the tests"
"""What stands as the browser of a session that a test acts with through the services."""


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
        """This person, as the services know whoever sits at a browser and is signed in.

        To be asked for outside of a transaction: there may be a session to begin.
        """
        return sit_down(self.account_id)

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
class CreatedKey:
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
        change_account(sit_down(account_id), username=name)
        _forget_seats(account_id)
    return Person(name, email, password, role, account_id)


def sit_down(account_id: int) -> Actor:
    """Somebody signed in at a browser that no other test client holds; the session is there, or begun.

    It leaves no trace in the audit log.
    """
    seats = select(UserSession).where(UserSession.account_id == account_id, UserSession.user_agent == SEAT)
    now = clock.utcnow()
    with nullcontext() if has_app_context() else _latest[-1].app_context():
        db.session.rollback()
        found = [each.id for each in db.session.scalars(seats) if may_go_on(each, now)]
        db.session.rollback()
        session_id = found[0] if found else _begin_seat(account_id)
    return Actor(ActorKind.BROWSER, account_id=account_id, session_id=session_id, ip_address="127.0.0.1")


def _begin_seat(account_id: int) -> UUID:
    now, session_id = clock.utcnow(), uuid4()
    seat = {"id": session_id, "kind": SessionKind.BROWSER, "token_hash": secrets.token_bytes(32)}
    times = {"created_at": now, "last_seen_at": now, "expires_at": now + timedelta(days=30)}
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.execute(
            insert(UserSession).values(**seat, **times, account_id=account_id, user_agent=SEAT)
        )
    return session_id


def _forget_seats(account_id: int) -> None:
    with db.engine.connect().execution_options(portal_writes=True) as connection, connection.begin():
        connection.execute(delete(UserSession).where(UserSession.account_id == account_id))


def make_cast(app: Flask) -> Cast:
    """Make the four accounts.

    In a database that has no account yet it is done once in a test run; after that their rows
    are copied, with the time of the copy.
    """
    _latest[:] = [app]
    with app.app_context():
        is_empty = not db.session.scalar(select(func.count()).select_from(Account))
        if is_empty and _kept:
            _insert_kept()
            return _kept_cast[0]
    cast = Cast(
        alice=make_person(app, "alice"),
        bob=make_person(app, "bobby"),
        sue=make_person(app, "sue", Role.SUPPORT),
        ada=make_person(app, "ada", Role.ADMIN),
    )
    if is_empty:
        with app.app_context():
            for table in _TABLES:
                rows = db.session.execute(select(*_kept_columns(table))).mappings()
                _kept[table.name] = [dict(row) for row in rows]
        _kept_cast.append(cast)
    return cast


_latest: list[Flask] = []
_TABLES = (cast_type(Table, Account.__table__), cast_type(Table, AuditEvent.__table__))
_TIMES = {"created_at", "updated_at", "consent_at", "at"}
_kept: dict[str, list[dict[str, Any]]] = {}
_kept_cast: list[Cast] = []


def _kept_columns(table: Table) -> list[Column[Any]]:
    """All but the number of an act, which depends on those before it."""
    return [c for c in table.columns if table.name == Account.__tablename__ or c.name != "id"]


def _insert_kept() -> None:
    now = {name: clock.utcnow() for name in _TIMES}
    writing = db.engine.connect().execution_options(portal_writes=True)
    with writing as connection, connection.begin():
        for table in _TABLES:
            rows = [row | {k: v for k, v in now.items() if k in row} for row in _kept[table.name]]
            connection.execute(insert(table), rows)
        if connection.dialect.name == "postgresql":
            sequence = func.pg_get_serial_sequence(Account.__tablename__, "id")
            connection.execute(select(func.setval(sequence, len(_kept[Account.__tablename__]))))


_hash_password = passwords.hash_password


@cache
def _hash_once(password: str) -> str:
    """The true hash of a password, made once in a test run instead of once in a test."""
    return _hash_password(password)
