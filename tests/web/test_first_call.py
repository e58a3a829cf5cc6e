"""Whether a key was called yet, for a page that waits for it."""

from __future__ import annotations

import pytest
from flask import Flask

from portal import clock as time
from portal.runtime import runtime_of
from tests.conftest import MakeKey
from tests.support.cast import Cast
from tests.support.client import PageChecker


def test_it_tells_of_the_first_call(app: Flask, client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    key, usage = make_key(cast.alice), runtime_of(app).usage
    cast.alice.sign_in(client)
    path = f"/account/keys/{key.id}/called"

    before = client.get(path)
    assert before.json == {"called": False, "at": None, "said": ""}
    assert before.headers["Cache-Control"] == "no-store"

    usage.note_refusal(key.id, time.now_ms(), "insufficientAccessLevel")
    usage.flush()
    refused = client.get(path).json
    assert refused
    assert refused["called"] is False
    assert "refused" in refused["said"]

    now = time.utcnow()
    usage.note_call(key.id, "192.0.2.90", time.to_ms(now))
    usage.flush()
    after = client.get(path).json
    assert after
    assert after["called"] is True
    assert after["at"] == time.iso(now)
    assert after["said"] == f"Called at {now:%H:%M:%S} from 192.0.2.90."


@pytest.mark.sqlite_only(reason="whose key it is has nothing to do with the database")
def test_it_tells_nobody_else(client: PageChecker, cast: Cast, make_key: MakeKey) -> None:
    key = make_key(cast.alice)
    path = f"/account/keys/{key.id}/called"

    assert client.get(path).status_code == 302

    cast.bob.sign_in(client)
    assert client.get(path).status_code == 404
