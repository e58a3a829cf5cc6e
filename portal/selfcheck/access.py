"""Who comes in: by a session while the account is open, by a mailed link once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from secrets import token_urlsafe

from flask.testing import FlaskClient
from sqlalchemy import select

from portal.models import MailToken
from portal.selfcheck.answers import GOOD, code, hold
from portal.selfcheck.ends import CAUSES, Cause
from portal.selfcheck.forms import browser
from portal.selfcheck.late import send_late
from portal.selfcheck.secret import hold_in_no_table
from portal.selfcheck.stage import NOBODY, Person, Stage
from portal.services.accounts import email_change, recovery
from portal.services.accounts.update import change_account

INVALID = "tokenInvalid"
RESET = "/password/reset/"
RESET_LIFE = timedelta(hours=1)
PART = 20
"""Characters of a token by which it would be found, also cut short."""


def sessions(stage: Stage) -> None:
    """Go on with sessions whose account was blocked, locked or removed, and opened again."""
    for name, cause in {"a block": "blocked", "a lock": "locked", "a removal": "removed"}.items():
        _hold_sessions_end(stage, name, CAUSES[cause])
    who = stage.person()
    client, token = browser(stage, who), stage.jwt(who)
    stage.write("UPDATE accounts SET status = -2 WHERE id = :id", id=who.account_id)
    _hold_over(stage, client, token, "past all rules, after a block")


def _hold_sessions_end(stage: Stage, name: str, cause: Cause) -> None:
    """Hold that a browser and a JWT of an account end with it, at once and for good."""
    who = stage.person()
    client, token = browser(stage, who), stage.jwt(who)
    hold(_going_on(stage, client, token) == {"browser", "JWT"}, "a new session does not go on")
    actor, act = who.actor, partial(cause.act, stage, who)
    told = send_late(stage, "PATCH", "/api/account/jwt", {"bio": "late"}, act, headers=token)
    hold(told != GOOD, f"after {name} a request that was under way changed the account")
    refused = stage.refusal(lambda: change_account(actor, bio="late"))
    hold(refused, f"whom a door let in before {name} acted after it")
    _hold_over(stage, client, token, f"after {name}")
    if cause.undo is not None:
        stage.act(partial(cause.undo, stage, who))
        _hold_over(stage, client, token, f"after {name} was undone")


def _hold_over(stage: Stage, client: FlaskClient, token: dict[str, str], when: str) -> None:
    going = _going_on(stage, client, token)
    hold(not going, f"{when} a session went on: {' and '.join(sorted(going))}")


def _going_on(stage: Stage, client: FlaskClient, token: dict[str, str]) -> set[str]:
    """Which of two sessions still open what is theirs."""
    answers = {
        "browser": stage.call("GET", "/account/keys", client=client),
        "JWT": stage.call("GET", "/api/whoami/jwt", headers=token, worker=1),
    }
    return {name for name, answer in answers.items() if code(answer) == GOOD}


def links(stage: Stage) -> None:
    """Use a mailed link for something else, spoilt, twice, too late, and after the address changed."""
    who = stage.person()
    token = _ask(stage, who)
    hold_in_no_table(stage, token[:PART])
    kept = [bytes(row[0]).hex() for row in stage.rows(select(MailToken.token_hash))]
    last = "A" if token[-1] != "A" else "B"
    for name, spoilt in [
        ("its end changed", token[:-1] + last),
        *[("what is kept of it", each) for each in kept],
    ]:
        hold(_reset(stage, spoilt) == INVALID, f"a link opens with {name}")
    other_use = "a link for a password that changes an address"
    stage.hold_refused(lambda: email_change.confirm_email(NOBODY, token), INVALID, other_use)
    done = stage.together(*[lambda: recovery.reset_password(NOBODY, token, token_urlsafe(18))] * 4)
    worked = done.count(None)
    hold(worked == 1, f"a link that was used four times at one moment worked {worked} times")
    hold(_reset(stage, token) == INVALID, "a link works again")
    _hold_in_time(stage)
    _hold_address(stage)


def _hold_in_time(stage: Stage) -> None:
    """Hold that a link which opens an account works for an hour, and not at its end."""
    who = stage.person()
    early = _ask(stage, who)
    stage.clock.forward(milliseconds=int(RESET_LIFE / timedelta(milliseconds=1)) - 1)
    hold(_reset(stage, early) == "", "a link does not work for its hour")
    late = _ask(stage, who)
    stage.clock.forward(hours=1)
    hold(_reset(stage, late) == INVALID, "a link works after its hour")


def _hold_address(stage: Stage) -> None:
    """Hold that a link is over when the account has another address than the one that it went to."""
    who = stage.person()
    token = _ask(stage, who)
    elsewhere = f"new-{who.email}"
    stage.act(lambda: change_account(who.actor, email=elsewhere, current_password=who.password))
    stage.act(lambda: email_change.confirm_email(NOBODY, stage.link(elsewhere, "/confirm-email/")))
    hold(_reset(stage, token) == INVALID, "a link works although the account has another address")


def _ask(stage: Stage, who: Person) -> str:
    """The token of a link for a new password."""
    asking = replace(NOBODY, ip_address=stage.ip_address)
    stage.act(lambda: recovery.request_reset(asking, who.email))
    return stage.link(who.email, RESET)


def _reset(stage: Stage, token: str) -> str:
    """The code of a refusal, or nothing."""
    return stage.refusal(lambda: recovery.reset_password(NOBODY, token, token_urlsafe(18)))


CHECKS = {"sessions": sessions, "links": links}
