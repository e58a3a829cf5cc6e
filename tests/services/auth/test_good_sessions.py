"""Whoever holds a good session has limits that people never meet, and keeps nobody else out (row 10)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from portal.models import Action, ActorKind, SessionKind
from portal.services.accounts import sign_in as signing_in
from portal.services.auth import sessions
from portal.services.core import audit
from portal.services.core.actor import Actor
from portal.services.core.errors import Slowed
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.ratelimits import questions
from portal.services.ratelimits.counters import Limit
from tests.api.conftest import bearer  # noqa: F401  # a fixture
from tests.conftest import MakeKey
from tests.support.cast import Cast, Person
from tests.support.client import PageChecker
from tests.support.clock import Clock

THIEF, HOME = "203.0.113.66", "192.0.2.7"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same limits with smaller figures."""
    for name, amount, spares in (
        ("START_OWN", 4, None), ("START_ACCOUNT", 6, 2), ("CHANGE_OWN", 3, None), ("CHANGE_ACCOUNT", 5, 2),
    ):  # fmt: skip
        monkeypatch.setattr(questions, name, Limit(name, amount, 3600, spares=spares), raising=False)
    monkeypatch.setattr(sessions, "MOST_LIVING", 3, raising=False)


def sign_in(app: Flask, who: Person, address: str, kind: SessionKind = SessionKind.JWT) -> None:
    with app.app_context():
        actor = Actor(ActorKind.ANONYMOUS, ip_address=address)
        signing_in.sign_in(actor, who.email, who.password, kind)


def refusals(act: Callable[[], object], times: int) -> list[int]:
    """Do it so often; how many seconds each refusal asks to wait."""
    waits = []
    for _ in range(times):
        try:
            act()
        except Slowed as error:
            waits.append(error.retry_after)
    return waits


def test_sign_ins_of_one_account_are_limited_and_a_thief_leaves_spares_to_the_owner(
    app: Flask, cast: Cast, clock: Clock
) -> None:
    clock.stop()
    for other in ("203.0.113.66", "203.0.113.67", "203.0.113.68"):
        refusals(lambda other=other: sign_in(app, cast.alice, other), 9)  # type: ignore[misc]

    waits = refusals(lambda: sign_in(app, cast.alice, HOME), 4)

    assert waits == [3600, 3600], "two spares"
    assert refusals(lambda: sign_in(app, cast.bob, THIEF), 4) == [], "nobody else waits"
    clock.forward(hours=1)
    assert refusals(lambda: sign_in(app, cast.alice, THIEF), 4) == [], "whoever waits as told is let in"


def test_of_too_many_living_sessions_the_one_not_seen_for_longest_ends(
    app: Flask, cast: Cast, clock: Clock
) -> None:
    created = []
    for kind in [SessionKind.JWT] * 4 + [SessionKind.BROWSER]:
        clock.forward(seconds=1)
        with app.app_context(), transaction() as session:
            account = get_account_for_update(session, cast.alice.account_id)
            assert account
            created.append(sessions.start(session, Actor(ActorKind.ANONYMOUS), account, kind)[0].id)

    with app.app_context():
        living = {signed.id for signed in sessions.list_sessions(cast.alice.account_id)}
        told = audit.list_events(action=Action.SESSION_ENDED)

    assert living == set(created[1:]), "those of the other kind take no room"
    assert [event.details for event in told] == [{"most": 3}]


@pytest.mark.parametrize("door", ["jwt", "key"])
def test_changes_at_the_api_are_limited_by_session_and_told_until_when(
    client: PageChecker,
    cast: Cast,
    make_key: MakeKey,
    bearer: Callable[[Person], dict[str, str]],  # noqa: F811  # a fixture
    door: str,
) -> None:
    def headers() -> dict[str, str]:
        return bearer(cast.alice) if door == "jwt" else make_key(cast.alice).headers

    def change(shown: dict[str, str]) -> int:
        answer = client.patch(f"/api/account/{door}", headers=shown, json={"bio": "x"})
        if answer.status_code == 429:
            assert 0 < int(answer.headers["Retry-After"]) <= 3600
            assert answer.get_json()["error"] == "tooManyRequests"
        return answer.status_code

    mine, thiefs, third = headers(), headers(), headers()
    assert [change(thiefs) for _ in range(5)] == [200, 200, 200, 429, 429]
    assert [change(third) for _ in range(3)] == [200, 200, 429]
    assert [change(mine) for _ in range(3)] == [200, 200, 429], "the spares of another session"


def test_changes_on_pages_are_limited_and_reading_and_leaving_are_not(
    app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey, new_client: Callable[[], PageChecker]
) -> None:
    cast.alice.sign_in(client)
    told = [client.submit("/account/consent", {"consent": str(1 + number % 2)}) for number in range(4)]

    assert [answer.status_code for answer in told] == [303, 303, 303, 429]
    assert int(told[-1].headers["Retry-After"]) > 0
    assert client.get("/account/keys").status_code == 200
    assert client.submit("/account/keys", form="/signout").status_code == 303


def test_revoking_at_the_api_is_never_refused(
    client: PageChecker,
    cast: Cast,
    make_key: MakeKey,
    bearer: Callable[[Person], dict[str, str]],  # noqa: F811  # a fixture
) -> None:
    created = [make_key(cast.alice) for _ in range(8)]
    headers = bearer(cast.alice)
    for _ in range(5):
        client.patch("/api/account/jwt", headers=headers, json={"bio": "x"})

    assert {client.delete(f"/api/apikeys/{key.id}/jwt", headers=headers).status_code for key in created} == {
        204
    }
