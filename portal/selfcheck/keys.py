"""What a key is: fixed, with an end, within its owner's rights, and its secret shown once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from sqlalchemy import Column, LargeBinary, String, Uuid, insert, select, update
from werkzeug.test import TestResponse

from portal import clock
from portal.extensions import Base
from portal.models.types import UtcTime, Word
from portal.permissions import LONGEST_LIFE, Role
from portal.selfcheck.forms import fields_of
from portal.selfcheck.scratch import CAP
from portal.selfcheck.stage import DAY, EXPIRED, GOOD, KEYS, Made, Person, Stage, hold
from portal.services import keys, rotation, secrets
from portal.services.sent_forms import Form

MAY_CHANGE = {"revoked_at", "revoked_reason", "retires_at"}
"""How a key ends; that they can't be taken back is a promise of its own."""
TOO_MANY = 4


def immutable(stage: Stage) -> None:
    """Try to change each column of a key with SQL, to delete it, and to change it through the doors."""
    owner, other = stage.person(), stage.person()
    made, second = stage.key(owner), stage.key(owner)
    row = stage.row(made)
    others = {"account_id": other.account_id, "made_by_key_id": second.uuid, "replaces_id": second.uuid}
    for column in [each for each in KEYS.columns if each.name not in MAY_CHANGE]:
        value = others.get(column.name) or _another(column, row[column.name])
        changed = update(KEYS).where(KEYS.c.id == made.uuid).values({column.name: value})
        hold(stage.is_refused(changed), f"the database let {column.name} be changed")
    hold(stage.is_refused(KEYS.delete().where(KEYS.c.id == made.uuid)), "the database let a key be deleted")
    token = stage.jwt(owner)
    for method in ("PUT", "PATCH", "POST"):
        answer = stage.call(method, f"/api/apikeys/{made.id}/jwt", headers=token, json={"level": 0})
        hold(answer.status_code == 405, f"{method} on a key was answered with {answer.status_code}")
    hold(stage.row(made) == row, "something of a key is not what it was")


def expiry(stage: Stage) -> None:
    """Use a key in the last millisecond of its life, and in the first after it."""
    made = stage.key(stage.person(), life=DAY)
    stage.clock.forward(days=1)
    told = stage.check(made)
    hold(told == EXPIRED, f"at the second of its expiry a key was answered with {told}")
    made = stage.key(stage.person(), life=DAY)
    stage.clock.forward(milliseconds=86_399_999)
    told = stage.check(made)
    hold(told == GOOD, f"a millisecond before its expiry a key was answered with {told}")
    stage.clock.forward(milliseconds=1)
    told = stage.check(made)
    hold(told == EXPIRED, f"a millisecond later it was answered with {told}")


def longest_life(stage: Stage) -> None:
    """Ask for more than a year: of the rules, of the API, and of the database."""
    owner = stage.person()
    made = stage.key(owner, life=LONGEST_LIFE)
    told = stage.refusal(lambda: stage.key(owner, life=LONGEST_LIFE + timedelta(seconds=1)))
    hold(told == "expiresInHigherThanMaximum", f"the rules answered a second more than a year with {told!r}")
    seconds = int(LONGEST_LIFE.total_seconds()) + 1
    told = _asked(stage, owner, level=1, expiresIn=seconds)
    hold(told == "expiresInHigherThanMaximum", f"the API answered a second more than a year with {told!r}")
    longer = stage.row(made)["expires_at"] + timedelta(milliseconds=1)
    hold(_insert_refused(stage, made, expires_at=longer), "the database let a key live for more than a year")
    hold(_insert_refused(stage, made, expires_at=stage.row(made)["created_at"]), "a key had no life at all")


def level_role(stage: Stage) -> None:
    """Ask for more than the role has: of the rules, of the API and of the database; lower the role."""
    for role in (Role.USER, Role.SUPPORT):
        _hold_below(stage, stage.person(role), role)
    owner = stage.person(Role.SUPPORT)
    stage.key(owner, level=0)
    fall = "UPDATE accounts SET role = 'user' WHERE id = :id"
    hold(stage.is_refused(fall, id=owner.account_id), "the database let the role of living keys fall")


def _hold_below(stage: Stage, owner: Person, role: Role) -> None:
    made, above = stage.key(owner, level=role.level), role.level + 1
    told = stage.refusal(lambda: stage.key(owner, level=above))
    hold(told == "keyLevelExceedsRoleLevel", f"the rules answered level {above} with {told!r}")
    told = _asked(stage, owner, level=above, expiresIn=60)
    hold(told == "keyLevelExceedsRoleLevel", f"the API answered level {above} with {told!r}")
    hold(_insert_refused(stage, made, level=above), f"the database let a {role} have level {above}")


def level_maker(stage: Stage) -> None:
    """Have a key make one above itself, and one that outlives it."""
    owner = stage.person(Role.SUPPORT)
    maker = stage.key(owner, level=4, life=DAY)
    wanted = {"name": "made with a key", "expiresIn": int(DAY.total_seconds())}
    answer = stage.call("POST", "/api/apikeys/key", maker, json=wanted | {"level": 5})
    hold(answer.status_code == 400, f"a key made one above itself: {answer.status_code}")
    stage.clock.forward(hours=1)
    answer = stage.call("POST", "/api/apikeys/key", maker, json=wanted | {"level": 4})
    hold(answer.status_code == 201, f"a key could not make another: {answer.status_code}")
    told = answer.get_json()["apikey"]
    row = stage.row(maker)
    made = Made(told["key"], told["secret"])
    hold(stage.row(made)["expires_at"] == row["expires_at"], "a key outlives the key that made it")
    for change in ({"level": 5}, {"expires_at": row["expires_at"] + timedelta(milliseconds=1)}):
        refused = _insert_refused(stage, maker, made_by_key_id=maker.uuid, **change)
        hold(refused, f"the database let a key exceed its maker in {next(iter(change))}")


def capped(stage: Stage) -> None:
    """Make more keys at one moment than an account may have; one more; and more by rotation."""
    owner = stage.person()

    def make() -> Made:
        return Made(str(keys.create_key(owner.actor, name="cap", level=1, life=DAY)[0].id), "")

    made = [each for each in stage.together(*[make] * (CAP + TOO_MANY)) if isinstance(each, Made)]
    hold(len(made) == CAP, f"{CAP + TOO_MANY} at one moment made {len(made)} keys where {CAP} may be")
    told = stage.refusal(make)
    hold(told == "tooManyKeys", f"one more was answered with {told!r}")
    ended = made[0].uuid
    stage.act(lambda: keys.revoke_key(owner.actor, ended))
    stage.act(make)
    told = stage.refusal(lambda: rotation.rotate_key(owner.actor, ended))
    hold(told == "tooManyKeys", f"a successor of a key that has ended was answered with {told!r}")


def secret_once(stage: Stage) -> None:
    """Make keys through the page and the API, and look for their secrets everywhere."""
    owner = stage.person()
    client, page = _browser(stage, owner)
    answer = _send(stage, client, _filled(page))
    shown = _secret_on(stage, answer)
    hold(shown, "the page of a new key did not show its secret")
    hold("no-store" in answer.headers.get("Cache-Control", ""), "the page with the secret may be kept")
    made = stage.key(owner)
    for path in ("/account/keys", f"/account/keys/{made.id}"):
        again = stage.call("GET", path, client=client)
        hold(not _secret_on(stage, again), f"{path} shows a secret")
    listed = stage.call("GET", f"/api/apikeys/{made.id}/key", made)
    hold(
        "secret" not in listed.get_json()["apikey"], "the API tells the secret of a key that was made before"
    )
    stage.check(made)
    _hold_nowhere(stage, shown, made.secret)
    stage.mails()
    _hold_nowhere(stage, shown, made.secret)


def one_key(stage: Stage) -> None:
    """Send one form twice, as a double click and a reload do, and six times at one moment."""
    owner = stage.person()
    client, page = _browser(stage, owner)
    form = _filled(page)
    first = _secret_on(stage, _send(stage, client, form))
    hold(first, "the page of a new key did not show its secret")
    again = _secret_on(stage, _send(stage, client, form))
    hold(again == first, "a double click lost the secret, or showed another one")
    stage.clock.forward(seconds=10)
    hold(not _secret_on(stage, _send(stage, client, form)), "a reload showed a secret again")
    hold(_count(stage, owner) == 1, f"a reload made {_count(stage, owner)} keys")
    sent = Form.of("", "", token_urlsafe(32), [])

    def make(number: int) -> object:
        actor = replace(owner.actor, form=sent, request_id=str(number))
        return keys.create_key(actor, name="at once", level=1, life=DAY)

    stage.together(*[partial(make, number) for number in range(6)])
    hold(_count(stage, owner) == 2, f"one form, sent six times at once, made {_count(stage, owner) - 1} keys")


def _another(column: Column[Any], value: Any) -> Any:
    """A value that fits the column and is not the one that is there."""
    kind = column.type
    if isinstance(kind, Word):
        return next(each for each in kind.enum if each != value)
    if isinstance(kind, UtcTime):
        return clock.from_ms(0) if value is None else value - timedelta(seconds=1)
    if isinstance(kind, Uuid):
        return uuid4()
    if isinstance(kind, LargeBinary):
        return bytes(32)
    return f"{value}x" if isinstance(kind, String) else (value or 3600) - 1


def _insert_refused(stage: Stage, like: Made, **change: Any) -> bool:
    """Whether the database refuses a key that is like another one but for this."""
    values = stage.row(like) | {"id": uuid4(), "nonce": None} | change
    return stage.is_refused(insert(KEYS).values(values))


def _asked(stage: Stage, owner: Person, **wanted: int) -> str:
    body = {"name": "self-check"} | wanted
    answer = stage.call("POST", "/api/apikeys/jwt", headers=stage.jwt(owner), json=body)
    return str(answer.get_json().get("error", ""))


def _count(stage: Stage, owner: Person) -> int:
    query = "SELECT count(*) FROM api_keys WHERE account_id = :id"
    return int(stage.rows(query, id=owner.account_id)[0][0])


def _browser(stage: Stage, owner: Person) -> tuple[FlaskClient, str]:
    """Sign somebody in with a browser; the browser, and the page of a new key."""
    client = stage.client()
    form = fields_of(stage.call("GET", "/signin", client=client).text)
    form |= {"username": owner.email, "password": owner.password}
    origin = {"Origin": stage.base_url, "Referer": f"{stage.base_url}/signin"}
    answer = stage.call("POST", "/signin", client=client, data=form, headers=origin)
    hold(answer.status_code in {302, 303}, f"signing in was answered with {answer.status_code}")
    return client, stage.call("GET", "/account/keys/new", client=client).text


def _filled(page: str) -> dict[str, str]:
    return fields_of(page) | {"name": "self-check", "level": "1"}


def _send(stage: Stage, client: FlaskClient, form: dict[str, str]) -> TestResponse:
    origin = {"Origin": stage.base_url, "Referer": f"{stage.base_url}/account/keys/new"}
    return stage.call("POST", "/account/keys/new", client=client, data=form, headers=origin)


def _secret_on(stage: Stage, answer: TestResponse) -> str:
    settings = stage.scratch.worker().config["PORTAL"]
    found = secrets.pattern(settings.key_prefix).search(answer.text)
    return found[0] if found else ""


def _hold_nowhere(stage: Stage, *secrets_: str) -> None:
    """Look for secrets in every cell of every table, and in every file."""
    wanted = [secret.encode() for secret in secrets_]
    for table in Base.metadata.sorted_tables:
        for row in stage.rows(select(table)):
            cells = b"\n".join(_bytes(cell) for cell in row)
            hold(not any(each in cells for each in wanted), f"a secret stands in the table {table.name}")
    # To close a file of SQLite lets go of all locks that the process has on it, so nobody has one.
    stage.scratch.close()
    for path in stage.scratch.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        hold(not any(each in content for each in wanted), f"a secret stands in the file {path.name}")


def _bytes(cell: object) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()


CHECKS = {
    "immutable": immutable,
    "expiry": expiry,
    "longest-life": longest_life,
    "level-role": level_role,
    "level-maker": level_maker,
    "capped": capped,
    "secret-once": secret_once,
    "one-key": one_key,
}
