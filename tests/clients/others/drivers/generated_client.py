"""What openapi-python-client made of the portal's OpenAPI: a key's life, and tokens that are asked about."""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx

told = json.load(sys.stdin)
sys.path.insert(0, told["folder"])

from chatelaine_api import AuthenticatedClient, Client
from chatelaine_api.api.default import (
    jwt_apikeys_create,
    jwt_apikeys_index,
    jwt_apikeys_remove,
    jwt_apikeys_show,
    key_apikeys_rotate,
    key_introspect_introspect,
    key_introspect_introspect_many,
    key_introspect_revoke,
    key_whoami_show_key,
    open_signing_sign_in,
)
from chatelaine_api.models import IntrospectedToken, NewKey, Rotation, RotationOverlap, SignIn, Token, Tokens


def as_nobody() -> Client:
    return Client(told["url"], raise_on_unexpected_status=True)


def as_bearer(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(told["url"], token, raise_on_unexpected_status=True)


def as_key(who: dict[str, str]) -> Any:
    basic = httpx.BasicAuth(who["id"], who["secret"])
    return Client(told["url"], raise_on_unexpected_status=True, httpx_args={"auth": basic})


def said(answer: Any) -> list[Any]:
    return [answer.status_code, answer.parsed.to_dict() if answer.parsed else None]


def live() -> dict[str, Any]:
    """Sign in; create, list, read, use, rotate and remove a key."""
    found: dict[str, Any] = {}
    sign_in = open_signing_sign_in.sync_detailed
    found["wrong"] = said(sign_in(client=as_nobody(), body=SignIn(told["username"], "not this one")))
    signed = sign_in(client=as_nobody(), body=SignIn(told["username"], told["password"])).parsed
    owner = as_bearer(signed.token)
    new = NewKey(name="generated", level=4, expires_in=3600)
    created = jwt_apikeys_create.sync_detailed(client=owner, body=new)
    found["create"] = said(created)
    found["refused"] = said(
        jwt_apikeys_create.sync_detailed(client=owner, body=NewKey(name="x", level=9, expires_in=60))
    )
    key, secret = created.parsed.apikey.key, created.parsed.apikey.secret
    found["list"] = said(jwt_apikeys_index.sync_detailed(client=owner))
    found["read"] = said(jwt_apikeys_show.sync_detailed(key, client=owner))
    script = as_bearer(secret)
    found["whoami"] = said(key_whoami_show_key.sync_detailed(client=script))
    rotated = key_apikeys_rotate.sync_detailed(key, client=script, body=Rotation(RotationOverlap.VALUE_0))
    found["rotate"] = said(rotated)
    found["old"] = said(key_whoami_show_key.sync_detailed(client=script))
    successor = rotated.parsed.apikey
    found["remove"] = said(jwt_apikeys_remove.sync_detailed(successor.key, client=owner))
    found["removed"] = said(key_whoami_show_key.sync_detailed(client=as_bearer(successor.secret)))
    return found


def ask() -> dict[str, Any]:
    """Introspect each token, all at once too, and revoke one."""

    def introspect(who: dict[str, str], token: str) -> list[Any]:
        return said(
            key_introspect_introspect.sync_detailed(client=as_key(who), body=IntrospectedToken(token))
        )

    many = key_introspect_introspect_many.sync(
        client=as_key(told["service"]), body=Tokens(list(told["tokens"].values()))
    )
    return {
        "answers": {name: introspect(told["service"], token) for name, token in told["tokens"].items()},
        "many": [each.active for each in many.tokens],
        "revoke": said(
            key_introspect_revoke.sync_detailed(client=as_key(told["owner"]), body=Token(told["victim"]))
        ),
        "after": introspect(told["service"], told["victim"]),
        "wrong": introspect(told["wrong"], told["tokens"]["good"]),
        "low": introspect(told["low"], told["tokens"]["good"]),
    }


json.dump(live() if "username" in told else ask(), sys.stdout)
