"""What the checks act with: people, keys, callers, a database to get at, and a clock to move."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from itertools import count
from threading import Barrier
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from flask.testing import FlaskClient
from sqlalchemy import Executable, Table, insert, select, text
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from portal import clock, jobs
from portal.clock import FrozenClock
from portal.models import ActorKind, ApiKey, SessionKind, UserSession
from portal.permissions import Role
from portal.selfcheck.answers import code, hold, hold_answer
from portal.selfcheck.scratch import Scratch
from portal.services.accounts import signup
from portal.services.core.actor import Actor
from portal.services.core.errors import RuleError
from portal.services.keys import creation, rotation
from portal.services.keys.secrets import create_secret

T = TypeVar("T")

KEYS = cast(Table, ApiKey.__table__)
SEATS = cast(Table, UserSession.__table__)
SEATED = timedelta(minutes=30)
"""How long somebody sits at one session."""
OPERATOR, NOBODY = Actor.command_line(), Actor(ActorKind.ANONYMOUS)
DAY = timedelta(days=1)
NAME = "self-check"
"""Of each key."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an active account that has given consent."""

    account_id: int
    email: str
    password: str = field(repr=False)
    sit_down: Callable[[int], Actor]

    @property
    def actor(self) -> Actor:
        """This person, signed in at a browser; to be asked for outside of a transaction.

        And before :meth:`Stage.together`, or what is to be done at one moment begins with this.
        """
        return self.sit_down(self.account_id)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key and, since it was made just now, its secret."""

    id: str
    secret: str = field(repr=False)

    @property
    def uuid(self) -> UUID:
        """Its id, as the rules take it."""
        return UUID(self.id)

    @classmethod
    def of(cls, created: tuple[ApiKey, str]) -> CreatedKey:
        """What the rules have created."""
        return cls(str(created[0].id), created[1])

    @classmethod
    def told_in(cls, answer: TestResponse) -> CreatedKey:
        """What the API says that it has created."""
        told = answer.get_json()["apikey"]
        return cls(told["key"], told["secret"])


class Stage:
    """Where one check acts, from an address that no other check has used."""

    _numbers = count(1)

    def __init__(self, scratch: Scratch, hands: FrozenClock) -> None:
        self.scratch = scratch
        self.clock = hands
        number = next(self._numbers)
        self.ip_address = f"198.18.{number // 250 % 250}.{number % 250 + 1}"
        self.base_url = str(scratch.worker().config["PORTAL"].base_url)

    # People and keys

    def person(self, role: Role = Role.USER) -> Person:
        """Make an account, as an operator does."""
        number, password = next(self._numbers), secrets.token_urlsafe(18)
        email = f"person-{number}@example.org"
        created = self.act(lambda: signup.create_account(OPERATOR, email, role=role, password=password).id)
        self._sit_down(created)
        return Person(created, email, password, self._sit_down)

    def _sit_down(self, account_id: int) -> Actor:
        """Somebody with a session that goes on, begun past the password and the audit log if need be."""
        now = clock.utcnow()
        seats = select(SEATS.c.id).where(
            SEATS.c.account_id == account_id, SEATS.c.ended_at.is_(None), SEATS.c.last_seen_at > now - SEATED
        )
        found = [row[0] for row in self.rows(seats)]
        if not found:
            found = [uuid4()]
            times = dict.fromkeys(("created_at", "last_seen_at"), now) | {"expires_at": now + DAY}
            row = {"id": found[0], "kind": SessionKind.BROWSER, "token_hash": secrets.token_bytes(32)}
            self.write(insert(SEATS).values(account_id=account_id, user_agent="", **row, **times))
        return Actor(ActorKind.BROWSER, account_id, session_id=found[0], ip_address=self.ip_address)

    def key(self, owner: Person, *, level: int = 4, life: timedelta = DAY, **more: Any) -> CreatedKey:
        """Make a key for somebody; raises RuleError."""
        more |= {"name": NAME, "level": level, "life": life}
        return self.act(lambda: CreatedKey.of(creation.create_key(owner.actor, **more)))

    def key_by(self, maker: CreatedKey, *, level: int = 1) -> CreatedKey:
        """Have a key make another one."""
        wanted = {"name": "made with a key", "level": level, "expiresIn": int(DAY.total_seconds())}
        answer = self.call("POST", "/api/apikeys/key", maker, json=wanted)
        hold(answer.status_code == 201, f"a key could not make another: {answer.status_code}")
        return CreatedKey.told_in(answer)

    def rotate(self, owner: Person, old: CreatedKey, overlap: timedelta = rotation.AT_ONCE) -> CreatedKey:
        """Rotate a key; the successor. Raises RuleError."""
        return self.act(lambda: CreatedKey.of(rotation.rotate_key(owner.actor, old.uuid, overlap=overlap)))

    def secret(self) -> str:
        """A secret in good form that is nobody's."""
        return create_secret(self.scratch.worker().config["PORTAL"].key_prefix)

    def act(self, rule: Callable[[], T]) -> T:
        """Do something through the rules, as a worker does; raises RuleError."""
        with self.scratch.worker().app_context():
            return rule()

    def refusal(self, rule: Callable[[], object]) -> str:
        """The code with which the rules refuse something; empty when they let it be done."""
        try:
            self.act(rule)
        except RuleError as error:
            return error.code
        return ""

    def hold_refused(self, rule: Callable[[], object], expected: str, who: str) -> None:
        """Raise Broken unless the rules refuse something with this code."""
        told = self.refusal(rule)
        hold(told == expected, f"{who} was answered with {told!r}")

    def together(self, *rules: Callable[[], object]) -> list[object]:
        """Do all of it at one moment, each in a thread of its own; return what each gave or raised."""
        barrier = Barrier(len(rules))

        def run(rule: Callable[[], object]) -> object:
            with self.scratch.worker().app_context():
                barrier.wait()
                try:
                    return rule()
                except RuleError as error:
                    return error

        with ThreadPoolExecutor(len(rules)) as pool:
            return list(pool.map(run, rules))

    # Callers

    def client(self) -> FlaskClient:
        """A caller with cookies of its own."""
        return self.scratch.worker().test_client()

    def call(
        self,
        method: str,
        path: str,
        by: CreatedKey | None = None,
        *,
        client: FlaskClient | None = None,
        worker: int = 0,
        ip_address: str | None = None,
        **more: Any,
    ) -> TestResponse:
        """Send one request, with a key if one is given."""
        more.setdefault("base_url", self.base_url)
        return (client or self.scratch.worker(worker).test_client()).open(
            path,
            method=method,
            auth=(by.id, by.secret) if by else None,
            environ_overrides={"REMOTE_ADDR": ip_address or self.ip_address},
            **more,
        )

    def check(self, created: CreatedKey, *, worker: int = 0) -> str:
        """What a worker says of a key: ``good``, or the code of its refusal."""
        return code(self.call("GET", "/api/whoami/key", created, worker=worker))

    def hold_check(self, created: CreatedKey, expected: str, who: str = "a key", *, worker: int = 0) -> None:
        """Raise Broken unless a worker says this of a key."""
        hold_answer(self.check(created, worker=worker), expected, who)

    def jwt(self, person: Person) -> dict[str, str]:
        """Sign somebody in through the API; the headers of what they do next."""
        answer = self.call(
            "POST", "/api/signin", json={"username": person.email, "password": person.password}
        )
        hold(answer.status_code == 200, f"signing in was answered with {answer.status_code}")
        return {"Authorization": f"Bearer {answer.get_json()['token']}"}

    # Past the application

    def rows(self, query: str | Executable, **values: Any) -> list[tuple[Any, ...]]:
        """Read the database."""
        with self.scratch.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(_sql(query), values)]

    def row(self, created: CreatedKey) -> dict[str, Any]:
        """All that the database keeps of a key, by the names of the columns."""
        found = self.rows(select(KEYS).where(KEYS.c.id == created.uuid))
        return dict(zip(KEYS.columns.keys(), found[0], strict=True))

    def write(self, statement: str | Executable, **values: Any) -> None:
        """Write to the database, past every rule that is not in it. Raises IntegrityError."""
        writing = self.scratch.engine.connect().execution_options(portal_writes=True)
        with writing as connection, connection.begin():
            connection.execute(_sql(statement), values)

    def is_refused(self, statement: str | Executable, **values: Any) -> bool:
        """Whether the database itself refuses to write something."""
        try:
            self.write(statement, **values)
        except IntegrityError:
            return True
        return False

    def insert_refused(self, like: CreatedKey, **change: Any) -> bool:
        """Whether the database refuses a new key that is like another one but for this."""
        fresh = {"id": uuid4(), "nonce": None, "digest": secrets.token_bytes(32)}
        return self.is_refused(insert(KEYS).values(self.row(like) | fresh | change))

    def write_unguarded(self, statement: str, **values: Any) -> None:
        """Write to an account while nothing guards its keys, as a careless restore does."""
        away, back = (f"ALTER TABLE accounts {do} TRIGGER accounts_keys" for do in ("DISABLE", "ENABLE"))
        if self.scratch.engine.dialect.name == "sqlite":
            created = self.rows("SELECT sql FROM sqlite_master WHERE name = 'accounts_keys'")
            away, back = "DROP TRIGGER accounts_keys", created[0][0]
        self.write(away)
        try:
            self.write(statement, **values)
        finally:
            self.write(back)

    @contextmanager
    def set_back(self) -> Iterator[None]:
        """Let the workers begin anew with a clock that was set back by all that it was put forward."""
        self.scratch.close()
        with self.clock.set_back():
            try:
                yield
            finally:
                self.scratch.close()

    # Mail

    def send_mails(self) -> None:
        """Run the jobs, so that each mail that waits is sent."""
        jobs.run_once(self.scratch.worker(), self.scratch.transport)

    def link(self, email: str, part: str) -> str:
        """The token of the newest link to ``part`` that was mailed to an address."""
        self.send_mails()
        texts = (words for mail_to, words in self._mails() if mail_to == email and part in words)
        newest = next(texts, "")
        hold(newest, f"no mail with a link to {part} was sent")
        return newest.partition(part)[2].split()[0].rstrip(".>")

    def _mails(self) -> Iterator[tuple[str, str]]:
        """Address and text of each mail that was sent, the newest first."""
        files = (self.scratch.folder / "instance" / "mail").glob("*.eml")
        for path in sorted(files, key=lambda each: int(each.name.partition("-")[0]), reverse=True):
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            body = message.get_body(("plain",))
            yield str(message["To"]), str(body.get_content()) if body else ""


def _sql(statement: Any) -> Any:
    return text(statement) if isinstance(statement, str) else statement
