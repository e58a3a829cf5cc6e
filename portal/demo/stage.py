"""How the demo acts: as its people do, through the rules, at moments of the past."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from uuid import UUID

from portal import clock
from portal.clock import FrozenClock
from portal.demo.people import PEOPLE, Person, Planned
from portal.extensions import db
from portal.jobs import OutboxWorker, Stop
from portal.models import ActorKind, Consent, SessionKind, UserSession
from portal.permissions import Role
from portal.services.accounts import sign_in, signup
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.keys import creation, rotation
from portal.services.operators import actions
from portal.services.usage.batch import Batch, write
from portal.transports import TOKEN

BY_NAME = {person.name: person for person in PEOPLE}


@dataclass(slots=True)
class Kept:
    """Takes each mail and sends none; the newest can be read, for the link in it."""

    newest: str = ""
    eight_bit: bool = True

    def deliver(self, message: EmailMessage, _name: str) -> None:
        """Keep the text of a mail."""
        body = message.get_body(("plain",))
        self.newest = str(body.get_content()) if body else ""

    def takes_utf8(self) -> bool:
        """It takes everything."""
        return True


@dataclass(slots=True)
class Stage:
    """What is there so far: the accounts and the keys, by their names."""

    hands: FrozenClock
    password: str = field(repr=False)
    operator: Actor
    ids: dict[str, int] = field(default_factory=dict)
    keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """By owner and name; of a key with successors the newest."""
    plans: dict[UUID, Planned] = field(default_factory=dict)
    secrets: dict[UUID, str] = field(default_factory=dict, repr=False)
    """In memory only, so that one can leak."""
    mails: Kept = field(default_factory=Kept)

    def go_to(self, moment: datetime) -> None:
        """Wait until then, or a few minutes when that has passed."""
        ahead = moment - clock.utcnow()
        self.hands.forward(seconds=max(ahead, timedelta(minutes=7)).total_seconds())

    def run_jobs(self) -> None:
        """Do what the jobs do between two scenes; the mails stay here."""
        OutboxWorker(self.mails).send_due(Stop())
        rotation.retire_due()

    def stranger(self, name: str) -> Actor:
        """Somebody before they have signed in."""
        person = BY_NAME[name]
        return Actor(ActorKind.ANONYMOUS, ip_address=person.ip_address, user_agent=person.agent)

    def visit(self, name: str) -> Actor:
        """Somebody who signs in now."""
        browser = self.stranger(name)
        signed, _token = sign_in.sign_in(browser, BY_NAME[name].email, self.password, SessionKind.BROWSER)
        return _signed_in(browser, signed)

    def join(self, person: Person) -> None:
        """Sign up, answer the mail, and choose a name; the first admin is made on the command line."""
        if person.role is Role.ADMIN:
            signup.create_account(self.operator, person.email, role=person.role, password=self.password)
            self._introduce(person, self.visit(person.name))
            return
        browser = self.stranger(person.name)
        signup.request_sign_up(browser, person.email, person.language)
        self.run_jobs()
        link = TOKEN.search(self.mails.newest)
        if not person.confirms or link is None:
            return
        self.hands.forward(minutes=3)
        begun = signup.confirm(
            browser, link[1], consent=Consent.PROCESSING, password=self.password, kind=SessionKind.BROWSER
        )
        if begun is not None:
            self._introduce(person, _signed_in(browser, begun[0]))

    def _introduce(self, person: Person, me: Actor) -> None:
        self.ids[person.name] = me.account_id or 0
        change_account(me, username=person.name, bio=person.bio)

    def set_role(self, name: str, role: Role, why: str) -> None:
        """Let the admin change a role."""
        actions.set_role(self.visit("ada"), self.ids[name], role, why=why)

    def create(self, planned: Planned) -> None:
        """Create a key, by its owner or with another key."""
        bound = planned.bound
        if planned.begins:
            bound = replace(bound, not_before=clock.utcnow() + timedelta(days=planned.begins + planned.day))
        key, secret = creation.create_key(
            self._maker(planned),
            name=planned.name,
            level=planned.level,
            life=timedelta(days=planned.life),
            conditions=bound,
            kind=planned.kind,
        )
        self._keep(key.id, secret, planned)

    def rotate(self, owner: str, name: str, overlap: timedelta = rotation.AT_ONCE) -> None:
        """Rotate the newest key of a name."""
        old = self.keys[owner, name]
        key, secret = rotation.rotate_key(self.visit(owner), old, overlap=overlap)
        self._keep(key.id, secret, self.plans[old])

    def write_use(self, *batches: Batch) -> None:
        """Count calls, as a process does that has collected them."""
        writing = db.engine.connect().execution_options(portal_writes=True)
        with writing as connection, connection.begin():
            for batch in batches:
                write(connection, batch)

    def _maker(self, planned: Planned) -> Actor:
        if not planned.by:
            return self.visit(planned.owner)
        maker = self.keys[planned.owner, planned.by]
        return replace(
            self.stranger(planned.owner),
            kind=ActorKind.KEY,
            account_id=self.ids[planned.owner],
            key_id=maker,
        )

    def _keep(self, key_id: UUID, secret: str, planned: Planned) -> None:
        self.secrets[key_id] = secret
        self.keys[planned.owner, planned.name] = key_id
        self.plans[key_id] = planned


def _signed_in(browser: Actor, signed: UserSession) -> Actor:
    return replace(browser, kind=ActorKind.BROWSER, account_id=signed.account_id, session_id=signed.id)
