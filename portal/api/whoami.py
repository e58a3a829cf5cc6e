"""Who am I? The door that services ask most."""

from __future__ import annotations

import json
from functools import lru_cache

from flask import Response, g
from flask.typing import ResponseReturnValue

from portal import clock
from portal.api.answers import JSON, answer
from portal.api.auth import Caller, actor
from portal.api.schemas import AccountAnswer, account_facts
from portal.services import profile

KEPT_BODIES = 4096


def show_account() -> ResponseReturnValue:
    """Tell whose JWT it is."""
    return answer(AccountAnswer(account=account_facts(profile.get_account(actor()))))


def show_key() -> ResponseReturnValue:
    """Tell what the key is, with the level that counts. Of all answers this is asked for most."""
    caller: Caller = g.caller
    key = caller.key
    assert key is not None
    life = (key.created_at, key.expires_at)
    body = _key_body(caller.key_id, caller.level, key.account_id, key.name, life)
    return Response(body, content_type=JSON)


@lru_cache(KEPT_BODIES)
def _key_body(key_id: str, level: int, account_id: int, name: str, life: tuple[int, int]) -> bytes:
    """Write the answer. It can be kept: nothing in it ever changes for these arguments."""
    facts = {
        "key": key_id,
        "level": level,
        "name": name,
        "createdAt": clock.iso(clock.from_ms(life[0])),
        "expiresAt": clock.iso(clock.from_ms(life[1])),
        "userId": account_id,
    }
    return json.dumps(
        {"result": "success", "apikey": facts}, ensure_ascii=False, separators=(",", ":")
    ).encode()
