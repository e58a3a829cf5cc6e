"""Mails are no weapon (row 73): few for a stranger's address, and none that an owner needs is lost to others.

A table of the kinds of mails: who causes them, how many may come of it, and what is left for
somebody else who asks for the same.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from flask import Flask

from portal.models import ActorKind, MailKind
from portal.services.accounts import recovery, signup
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.core.errors import Slowed
from portal.services.keys import creation, revocation
from portal.services.ratelimits import questions
from tests.support.cast import Cast, Person, make_person
from tests.support.clock import Clock
from tests.support.databases import Database

VICTIM = "victim@example.org"
MANY = 40


def source(number: int) -> Actor:
    """A stranger who comes from an address of their own."""
    return Actor(ActorKind.ANONYMOUS, ip_address=f"198.51.{number // 250}.{number % 250 + 1}")


def at(person: Person, number: int) -> Actor:
    """Somebody signed in, from an address of their own."""
    return replace(person.actor, ip_address=f"203.0.113.{number % 250 + 1}")


def mails_to(database: Database, address: str, *kinds: MailKind) -> int:
    """How many mails of these kinds were written down for an address, sent or not."""
    words = ", ".join(f"'{kind.value}'" for kind in kinds or MailKind)
    query = f"SELECT count(*) FROM outbox WHERE address = :address AND kind IN ({words})"
    return int(database.execute(query, address=address)[0][0])


def change_email(actor: Actor, person: Person, address: str) -> None:
    change_account(actor, email=address, current_password=person.password)


@dataclass
class Cause:
    """A kind of mail, how somebody causes one, and how many come of one source's and many sources' tries."""

    kind: MailKind
    ask: Callable[[Cast, int, str], object]
    from_one: int
    from_many: int
    address: str = VICTIM


CAUSES = {
    "sign-up": Cause(
        MailKind.SIGN_UP,
        lambda _, number, to: signup.request_sign_up(source(number), to, "en"),
        questions.SIGN_UP_MAIL_OWN.amount,
        questions.SIGN_UP_MAIL.amount,
    ),
    "reset": Cause(
        MailKind.RESET,
        lambda _, number, to: recovery.request_reset(source(number), to),
        questions.RESET_MAIL_OWN.amount,
        MANY,  # one from each source, so that the owner's is never lost
        "alice@example.org",
    ),
    "unlock": Cause(
        MailKind.LOCKED,
        lambda cast, number, _: recovery.request_unlock(source(number), cast.alice.account_id),
        questions.UNLOCK_MAIL_OWN.amount + 1,  # and the one of the lock itself
        MANY + 1,
        "alice@example.org",
    ),
    "new address": Cause(
        MailKind.EMAIL_CONFIRM,
        lambda cast, number, to: change_email(at(cast.alice, number), cast.alice, to),
        questions.NEW_EMAIL_PAIR.amount,
        questions.NEW_EMAIL_PAIR.amount,
    ),
}


def tries(cause: Cause, cast: Cast, numbers: list[int]) -> None:
    for number in numbers:
        with suppress(Slowed):
            cause.ask(cast, number, cause.address)


@pytest.mark.parametrize("name", CAUSES)
def test_one_source_causes_few_mails_and_many_no_more_than_told(
    app: Flask, cast: Cast, database: Database, clock: Clock, name: str
) -> None:
    cause = CAUSES[name]
    with app.app_context():
        if name == "unlock":
            recovery.lock(cast.alice.actor, cast.alice.password)
        tries(cause, cast, [0] * MANY)
        assert mails_to(database, cause.address, cause.kind) == cause.from_one
        clock.forward(days=1, seconds=1)
        before = mails_to(database, cause.address, cause.kind)
        tries(cause, cast, list(range(MANY)))
        locks = 1 if name == "unlock" else 0
        assert mails_to(database, cause.address, cause.kind) - before <= cause.from_many - locks


@pytest.mark.parametrize("name", CAUSES)
def test_what_others_caused_leaves_the_owner_every_kind_of_mail(
    app: Flask, cast: Cast, database: Database, name: str
) -> None:
    """Bob and a crowd of strangers use up what they can against Alice; then Alice asks for each kind."""
    alice, wanted = cast.alice, "alice.new@example.org"
    with app.app_context():
        if name != "unlock":  # who asks for those knows her password
            for to in (alice.email, wanted):
                tries(replace(CAUSES[name], address=to), replace(cast, alice=cast.bob), [0] * MANY)
                tries(replace(CAUSES[name], address=to), replace(cast, alice=cast.bob), list(range(MANY)))
    before = {kind: mails_to(database, alice.email, kind) for kind in MailKind}
    news = mails_to(database, wanted, MailKind.EMAIL_CONFIRM)
    with app.app_context():
        recovery.request_reset(Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.99"), alice.email)
        change_account(at(alice, 99), email=wanted, current_password=alice.password)
        key, _secret = creation.create_key(alice.actor, name="ci", level=1, life=timedelta(days=1))
        revocation.revoke_key(alice.actor, key.id)
        recovery.change_password(alice.actor, "lantern gravel otter sixty", current=alice.password)
        recovery.lock(alice.actor, "lantern gravel otter sixty")
        recovery.request_unlock(Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.99"), alice.account_id)
    came = {kind: mails_to(database, alice.email, kind) - before[kind] for kind in MailKind}
    assert came[MailKind.RESET] == 1
    assert came[MailKind.EMAIL_ASKED] == 1
    assert came[MailKind.KEY_CREATED] == came[MailKind.KEYS_REVOKED] == came[MailKind.PASSWORD_CHANGED] == 1
    assert came[MailKind.LOCKED] == 2
    assert mails_to(database, wanted, MailKind.EMAIL_CONFIRM) == news + 1


def test_one_account_writes_to_few_strangers(app: Flask, cast: Cast, database: Database) -> None:
    with app.app_context():
        for number in range(60):
            with suppress(Slowed):
                change_email(at(cast.bob, number), cast.bob, f"stranger{number}@example.org")
    query = "SELECT count(*) FROM outbox WHERE kind = 'email-confirm'"
    assert database.execute(query) == [(questions.NEW_EMAIL_ACCOUNT.amount,)]


def test_one_account_writes_to_few_strangers_in_a_day(
    app: Flask, cast: Cast, database: Database, clock: Clock
) -> None:
    for hour in range(6):
        with app.app_context():
            for number in range(questions.NEW_EMAIL_ACCOUNT.amount):
                with suppress(Slowed):
                    change_email(at(cast.bob, number), cast.bob, f"stranger{hour}.{number}@example.org")
        clock.forward(hours=1, seconds=1)
    query = "SELECT count(*) FROM outbox WHERE kind = 'email-confirm'"
    assert database.execute(query) == [(questions.NEW_EMAIL_ACCOUNT_DAY.amount,)]


def test_many_accounts_of_one_source_write_to_few_strangers(
    app: Flask, cast: Cast, database: Database
) -> None:
    people = [cast.alice, cast.bob, make_person(app, "carol"), make_person(app, "david")]
    with app.app_context():
        for number, person in enumerate(people * 4):
            with suppress(Slowed):
                change_email(at(person, 7), person, f"stranger{number}@example.org")
    query = "SELECT count(*) FROM outbox WHERE kind = 'email-confirm'"
    assert database.execute(query) == [(questions.NEW_EMAIL_SOURCE.amount,)]


def test_a_wrong_password_uses_none_of_it_up(app: Flask, cast: Cast) -> None:
    thief = at(cast.alice, 1)
    with app.app_context():
        for number in range(questions.PROVE_OWN.amount):
            with pytest.raises(Exception, match="passwordWrong"):
                change_account(thief, email=f"thief{number}@example.org", current_password="not the password")
        change_account(cast.alice.actor, email=VICTIM, current_password=cast.alice.password)


def test_the_hour_passes(app: Flask, database: Database, cast: Cast, clock: Clock) -> None:
    with app.app_context():
        for number in range(questions.SIGN_UP_MAIL.amount + 3):
            signup.request_sign_up(source(number), VICTIM, "en")
        clock.forward(hours=1, seconds=1)
        signup.request_sign_up(source(99), VICTIM, "en")
    assert mails_to(database, VICTIM) == questions.SIGN_UP_MAIL.amount + 1
