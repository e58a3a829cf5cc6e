"""What strangers can't do: learn anything, end anything, or come by another name."""

from __future__ import annotations

import time
from functools import partial
from uuid import uuid4

from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.models import Account, AccountStatus
from portal.selfcheck.answers import EXPIRED, GOOD, REVOKED, UNKNOWN, hold, hold_answer
from portal.selfcheck.forms import browser, fields_of, own_site
from portal.selfcheck.stage import DAY, NAME, CreatedKey, Person, Stage
from portal.services.auth import sessions
from portal.services.core import ids
from portal.services.keys import revocation
from portal.services.ratelimits import questions

CHANGING = {"Date", "X-Request-Id", "RateLimit", "Retry-After"}
MORE_THAN_ENOUGH = 70
"""Failed checks from one source, above what slows it."""
TRIES = 12
"""Failed sign-ins from one source, above what slows it."""


def look_alike(stage: Stage) -> None:
    """Show a wrong secret for keys in every state, and the right one for the same keys."""
    owner = stage.person()
    expired = stage.key(owner, life=DAY)
    stage.clock.forward(days=1)
    living, revoked = stage.key(owner), stage.key(owner)
    stage.act(lambda: revocation.revoke_key(owner.actor, revoked.uuid))
    wrong = stage.secret()
    shown = {
        "an unknown key": CreatedKey(str(ids.uuid7()), wrong),
        "a living key": CreatedKey(living.id, wrong),
        "a revoked key": CreatedKey(revoked.id, wrong),
        "an expired key": CreatedKey(expired.id, wrong),
        "a broken secret": CreatedKey(living.id, living.secret[:-1]),
    }
    told = {name: _words(stage.call("GET", "/api/whoami/key", created)) for name, created in shown.items()}
    first = told["an unknown key"]
    hold(UNKNOWN in first, f"an unknown key was answered with {first[:60]}")
    for name, words in told.items():
        hold(words == first, f"a wrong secret of {name} is answered in another way than an unknown key")
    told_nobody = stage.call("GET", "/api/whoami/key")
    hold_answer(told_nobody.status_code, 401, "who shows no key")
    hold("WWW-Authenticate" in told_nobody.headers, "who shows no key is not told how to show one")
    for created, expected in ((living, GOOD), (revoked, REVOKED), (expired, EXPIRED)):
        seen = stage.check(created)
        hold(seen == expected, f"a holder of the secret was told {seen} instead of {expected}")


def harmless(stage: Stage) -> None:
    """Fail at signing in and at checks of a key, more often than is borne, and use the good ones after."""
    owner = stage.person()
    created = stage.key(owner)
    wrong = CreatedKey(created.id, stage.secret())
    statuses = {stage.call("GET", "/api/whoami/key", wrong).status_code for _ in range(MORE_THAN_ENOUGH)}
    hold(429 in statuses, "a source of failed checks was not slowed")
    body = {"username": owner.email, "password": "not the password"}
    statuses = {stage.call("POST", "/api/signin", json=body).status_code for _ in range(TRIES)}
    hold(429 in statuses, "a source of failed sign-ins was not slowed")
    stage.hold_check(created, GOOD, "a good secret from a slowed source")
    for number in range(2 * questions.SIGN_IN_NAME.amount):
        far = f"203.0.{number // 250}.{number % 250 + 1}"
        stage.act(partial(questions.may_sign_in, far, owner.email))
    stage.ip_address = stage.ip_address.replace("198.18.", "198.19.")
    stage.jwt(owner)
    status = stage.rows(select(Account.status).where(Account.id == owner.account_id))[0][0]
    hold(status == AccountStatus.ACTIVE, "a stranger has shut an account")
    hold(stage.row(created)["revoked_at"] is None, "a stranger has revoked a key")


def hidden(stage: Stage) -> None:
    """Sign up, sign in and forget the password, with an address that is known and one that is not."""
    known = stage.person().email
    unknown = known.replace("person", "nobody")
    for path, rest in (
        ("/api/signup", {"language": "en"}),
        ("/api/signin", {"password": "not the password"}),
    ):
        name = "username" if path == "/api/signin" else "email"
        told = [
            _words(stage.call("POST", path, json={name: email} | rest)).replace(email, "")
            for email in (known, unknown)
        ]
        hold(told[0] == told[1], f"{path} answers a known address in another way than an unknown one")
    told = []
    for email in (known, unknown):
        client = stage.client()
        form = fields_of(stage.call("GET", "/password/forgot", client=client).text) | {"email": email}
        answer = stage.call("POST", "/password/forgot", client=client, data=form, headers=own_site(stage))
        told.append(f"{answer.status_code} {answer.headers.get('Location')}".replace(email, ""))
    hold(told[0] == told[1], "a forgotten password tells whether an address is known")
    _hold_same_work(stage, known, unknown)


def _hold_same_work(stage: Stage, *emails: str) -> None:
    """Hold that a refused sign-in costs alike, and so takes as long.

    Of each the least of some counts: what else this process does meanwhile adds to the others.
    """
    costs: dict[str, list[float]] = {email: [] for email in emails}
    for email in emails * 4:
        begun = time.process_time()
        stage.call("POST", "/api/signin", json={"username": email, "password": "not the password"})
        costs[email].append(time.process_time() - begun)
    less, more = sorted(map(min, costs.values()))
    hold(more < 2 * less, f"one sign-in took {less * 1000:.0f} ms of work, one {more * 1000:.0f} ms")


def anothers(stage: Stage) -> None:
    """Ask for a key of somebody else, and for one that is not there; look for it in every list."""
    owner, stranger = stage.person(), stage.person()
    created, token = stage.key(owner), stage.jwt(stranger)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        told = [
            _words(stage.call(method, f"/api/apikeys/{key}{path}/jwt", headers=token))
            for key in (created.id, ids.uuid7())
        ]
        hold(told[0] == told[1], f"{method} tells that a key of somebody else is there")
        hold(told[0].startswith("404 "), f"{method} on the key of somebody else: {told[0][:40]}")
    hold(stage.check(created) == GOOD, "somebody else has revoked a key")
    _hold_unlisted(stage, owner, created, stranger, token)


def _hold_unlisted(
    stage: Stage, owner: Person, created: CreatedKey, stranger: Person, token: dict[str, str]
) -> None:
    """Hold that nobody ends a session of somebody else, or reads of their keys, sessions and acts."""
    seat = owner.actor.session_id
    assert seat, "who is signed in has a session"
    told = [stage.refusal(partial(sessions.end_session, stranger.actor, id_)) for id_ in (seat, uuid4())]
    hold_answer(told, ["notFound"] * 2, "who ends a session of somebody else")
    client = browser(stage, stranger)
    for path in ("/api/apikeys/jwt", "/account/keys", "/account/security", "/account/activity"):
        page = stage.call("GET", path, client=client, headers=token).text
        hold("</h1>" in page or "apikeys" in page, f"{path} was not shown")
        shown = [each for each in (created.id, str(seat), NAME) if each in page]
        hold(not shown, f"{path} shows what belongs to somebody else")


def _words(answer: TestResponse) -> str:
    """All that an answer says, but for what is another at each request."""
    told = answer.get_json()
    told.pop("requestId", None)
    headers = sorted(f"{name}: {value}" for name, value in answer.headers if name not in CHANGING)
    return f"{answer.status_code} {told} {headers}"


CHECKS = {"look-alike": look_alike, "harmless": harmless, "hidden": hidden, "anothers": anothers}
