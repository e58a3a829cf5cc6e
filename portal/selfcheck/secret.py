"""The secret of a key: it is in one answer and nowhere else, however often a form is sent."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr
from dataclasses import replace
from functools import partial
from secrets import token_urlsafe

from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from portal.extensions import Base
from portal.selfcheck.answers import hold
from portal.selfcheck.forms import browser, fields_of, own_site
from portal.selfcheck.stage import DAY, KEYS, NAME, CreatedKey, Person, Stage
from portal.services.core.sent_forms import Form
from portal.services.keys import creation, secrets


def secret_once(stage: Stage) -> None:
    """Make keys through the page and the API, and look for their secrets everywhere."""
    owner = stage.person()
    client = browser(stage, owner)
    answer = _send(stage, client, _filled_form(stage, client))
    shown = _secret_on(stage, answer)
    hold(shown, "the page of a new key did not show its secret")
    hold("no-store" in answer.headers.get("Cache-Control", ""), "the page with the secret may be kept")
    wanted = {"name": NAME, "level": 4, "expiresIn": 3600}
    answer = stage.call("POST", "/api/apikeys/jwt", headers=stage.jwt(owner), json=wanted)
    hold("no-store" in answer.headers.get("Cache-Control", ""), "the answer with the secret may be kept")
    created = CreatedKey.told_in(answer)
    for path in ("/account/keys", f"/account/keys/{created.id}"):
        again = stage.call("GET", path, client=client)
        hold(not _secret_on(stage, again), f"{path} shows a secret")
    listed = stage.call("GET", f"/api/apikeys/{created.id}/key", created)
    hold(
        "secret" not in listed.get_json()["apikey"], "the API tells the secret of a key that was made before"
    )
    stage.check(created)
    stage.call(
        "POST", "/api/leaks", json={"secrets": [created.secret], "url": f"https://x.org/{created.secret}"}
    )
    _hold_not_logged(stage, created.secret)
    _hold_nowhere(stage, shown, created.secret)
    stage.send_mails()
    _hold_nowhere(stage, shown, created.secret)


def _hold_not_logged(stage: Stage, secret: str) -> None:
    """Hold that a line of the log which tells a secret by mistake is written without it."""
    stage.scratch.worker()
    logging.disable(logging.NOTSET)  # the self-check is silent otherwise
    with redirect_stderr(io.StringIO()) as lines:
        logging.getLogger("portal.selfcheck").error("a mistake: %s", secret)
    logging.disable(logging.CRITICAL)
    hold("a mistake" in lines.getvalue(), "nothing is logged")
    hold(secret not in lines.getvalue(), "a secret stands in the log")


def one_key(stage: Stage) -> None:
    """Send one form twice, as a double click and a reload do, and six times at one moment."""
    owner = stage.person()
    client = browser(stage, owner)
    form = _filled_form(stage, client)
    first = _secret_on(stage, _send(stage, client, form))
    hold(first, "the page of a new key did not show its secret")
    again = _secret_on(stage, _send(stage, client, form))
    hold(again == first, "a double click lost the secret, or showed another one")
    stage.clock.forward(seconds=10)
    hold(not _secret_on(stage, _send(stage, client, form)), "a reload showed a secret again")
    hold(_count(stage, owner) == 1, f"a reload made {_count(stage, owner)} keys")
    me, sent = owner.actor, Form.of("", "", token_urlsafe(32), [])

    def make(number: int) -> object:
        actor = replace(me, form=sent, request_id=str(number))
        return creation.create_key(actor, name="at once", level=1, life=DAY)

    stage.together(*[partial(make, number) for number in range(6)])
    hold(_count(stage, owner) == 2, f"one form, sent six times at once, made {_count(stage, owner) - 1} keys")


def _count(stage: Stage, owner: Person) -> int:
    return len(stage.rows(select(KEYS.c.id).where(KEYS.c.account_id == owner.account_id)))


def _filled_form(stage: Stage, client: FlaskClient) -> dict[str, str]:
    page = stage.call("GET", "/account/keys/new", client=client).text
    return fields_of(page) | {"name": NAME, "level": "1"}


def _send(stage: Stage, client: FlaskClient, form: dict[str, str]) -> TestResponse:
    return stage.call("POST", "/account/keys/new", client=client, data=form, headers=own_site(stage))


def _secret_on(stage: Stage, answer: TestResponse) -> str:
    prefix = stage.scratch.worker().config["PORTAL"].key_prefix
    found = secrets.pattern(prefix).search(answer.text)
    return found[0] if found else ""


def _hold_nowhere(stage: Stage, *secrets_: str) -> None:
    """Look for secrets in every cell of every table, and in every file."""
    hold_in_no_table(stage, *secrets_)
    wanted = [secret.encode() for secret in secrets_]
    # To close a file of SQLite lets go of all locks that the process has on it, so nobody has one.
    stage.scratch.close()
    for path in stage.scratch.folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        hold(not any(each in content for each in wanted), f"a secret stands in the file {path.name}")


def hold_in_no_table(stage: Stage, *secrets_: str) -> None:
    """Look for secrets in every cell of every table."""
    wanted = [secret.encode() for secret in secrets_]
    for table in Base.metadata.sorted_tables:
        for row in stage.rows(select(table)):
            cells = b"\n".join(_bytes(cell) for cell in row)
            hold(not any(each in cells for each in wanted), f"a secret stands in the table {table.name}")


def _bytes(cell: object) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()


CHECKS = {"secret-once": secret_once, "one-key": one_key}
