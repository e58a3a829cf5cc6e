"""What happens in the demo's year, scene by scene."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from operator import itemgetter

from portal import clock
from portal.demo.people import KEYS, PEOPLE, Person
from portal.demo.stage import BY_NAME, Stage
from portal.extensions import settings
from portal.models import ActorKind, Consent, SessionKind
from portal.permissions import Role
from portal.services.abuse import excess, leaks
from portal.services.abuse.leaks import Leak, Reporter
from portal.services.accounts import recovery, removal, sign_in
from portal.services.accounts.update import change_account
from portal.services.core.actor import Actor
from portal.services.core.errors import SignInFailed
from portal.services.core.outcomes import Outcome, ShownAt
from portal.services.keys import rotation
from portal.services.keys.revocation import revoke_key
from portal.services.operators import actions
from portal.services.usage.batch import HOUR_MS, Batch
from portal.services.usage.refusals import DAY_MS, Refusal

Scene = Callable[[Stage], object]

DAY, WEEK = timedelta(days=1), timedelta(days=7)
GIVEN = {Role.USER, Role.ADMIN}
"""Roles that nobody has to be promoted to."""
FINDER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.250")
"""A stranger who finds a secret, and one who guesses passwords."""


def in_order() -> list[tuple[int, Scene]]:
    """Every scene with how many days ago it plays, the first one first."""
    return sorted(
        [
            *((person.joined, partial(Stage.join, person=person)) for person in PEOPLE),
            *((person.joined - 1, _promote(person)) for person in PEOPLE if person.role not in GIVEN),
            *((planned.day, partial(Stage.create, planned=planned)) for planned in KEYS),
            *EVENTS,
        ],
        key=itemgetter(0),
        reverse=True,
    )


def _promote(person: Person) -> Scene:
    return lambda stage: stage.set_role(person.name, person.role, "Asked for by the team.")


def _rotate(owner: str, name: str, overlap: timedelta = rotation.AT_ONCE) -> Scene:
    return lambda stage: stage.rotate(owner, name, overlap)


def _guess_password(name: str) -> Scene:
    def guess(_stage: Stage) -> None:
        with suppress(SignInFailed):
            sign_in.sign_in(FINDER, BY_NAME[name].email, "certainly not this one", SessionKind.BROWSER)

    return guess


def _leak(stage: Stage) -> None:
    secret = stage.secrets[stage.keys["alice", "Dotfiles"]]
    leaks.report(FINDER, [Leak(secret, "https://git.example/alice/dotfiles/.netrc")], Reporter.PAGE)


def _use_old_secret(stage: Stage) -> None:
    [old, *_] = [key for key, plan in stage.plans.items() if plan.name == "Nightly sync"]
    rotation.note_reuse(stage.stranger("carla"), old)


def _call_too_often(stage: Stage) -> None:
    key, now = str(stage.keys["bruno", "Fuzzing"]), clock.now_ms()
    hour = now - now % HOUR_MS
    place = BY_NAME["bruno"].ip_address
    refused = Refusal(now - now % DAY_MS, Outcome.THROTTLED.value, place, ShownAt.API.value, "")
    stage.write_use(
        Batch(
            {(key, hour, place): [6600, now, 0]},
            {(key, hour, Outcome.THROTTLED): 320},
            {key: {refused: [320, hour, now]}},
        )
    )
    excess.look(excess.policy_of(settings))


def _support_revokes(stage: Stage) -> None:
    key = stage.keys["bob", "Prices"]
    actions.revoke_one(stage.visit("sue"), key, why="Copies the whole catalogue every hour.")


EVENTS: tuple[tuple[int, Scene], ...] = (
    (200, _guess_password("alice")),
    (150, lambda stage: stage.set_role("milo", Role.USER, "Moved to another team.")),
    (120, _rotate("alice", "Shop CI", DAY)),
    (101, _support_revokes),
    (100, lambda stage: revoke_key(stage.visit("theo"), stage.keys["theo", "Load test"])),
    (76, _guess_password("bob")),
    (75, lambda stage: actions.block(stage.visit("sue"), stage.ids["bob"], why="Went on after two mails.")),
    (60, _rotate("carla", "Nightly sync")),
    (58, _use_old_secret),
    (50, lambda stage: change_account(stage.visit("nora"), consent=Consent.NONE)),
    (40, lambda stage: removal.remove_account(stage.visit("rosa"), stage.password)),
    (35, _leak),
    (30, _rotate("sue", "Helpdesk", WEEK)),
    (20, lambda stage: recovery.lock(stage.visit("lena"), stage.password)),
    (15, _rotate("carla", "Catalogue import")),
    (6, _call_too_often),
    (5, lambda stage: actions.revoke_excessive(stage.visit("sue"), stage.ids["bruno"], why="Far above.")),
    (2, _rotate("alice", "Shop CI", WEEK)),
    (1, _guess_password("ada")),
    *(
        (1, lambda stage, name=name: stage.visit(name))
        for name in ("ada", "sue", "alice", "carla", "milo", "theo")
    ),
)
