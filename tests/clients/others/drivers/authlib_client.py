"""Authlib asks about tokens, revokes one, and guards a service as its users have it do."""

from __future__ import annotations

import json
import sys
from typing import Any

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

told = json.load(sys.stdin)
found = (
    OAuth2Session()
    .request("GET", f"{told['url']}/.well-known/oauth-authorization-server", withhold_token=True)
    .json()
)


def session_of(who: dict[str, str]) -> OAuth2Session:
    return OAuth2Session(
        who["id"],
        who["secret"],
        token_endpoint_auth_method=told["way"],
        revocation_endpoint_auth_method=told["way"],
    )


def introspect(who: dict[str, str], token: str) -> Any:
    return session_of(who).introspect_token(found["introspection_endpoint"], token=token)


def revoke(who: dict[str, str], token: str) -> Any:
    return session_of(who).revoke_token(found["revocation_endpoint"], token=token)


def refusal(answer: Any) -> dict[str, Any]:
    said = answer.json()
    return {
        "status": answer.status_code,
        "error": said["error"],
        "described": bool(said["error_description"]),
    }


class Validator(IntrospectTokenValidator):
    """What stands before the views of a service."""

    def introspect_token(self, token_string: str) -> Any:
        return introspect(told["service"], token_string).json()


def verdict(token: str, scope: str) -> str:
    validator = Validator()
    try:
        validator.validate_token(validator.authenticate_token(token), [scope], None)
    except OAuth2Error as error:
        return error.error
    return "let in"


answers = {name: introspect(told["service"], token).json() for name, token in told["tokens"].items()}
revoked = revoke(told["owner"], told["victim"])
json.dump(
    {
        "issuer": found["issuer"],
        "answers": answers,
        "revoked": revoked.status_code,
        "after": introspect(told["service"], told["victim"]).json(),
        "wrong": refusal(introspect(told["wrong"], told["tokens"]["good"])),
        "wrongRevocation": refusal(revoke(told["wrong"], told["tokens"]["good"])),
        "low": refusal(introspect(told["low"], told["tokens"]["good"])),
        "guarded": {
            name: [verdict(token, "level:2"), verdict(token, "level:3")]
            for name, token in told["tokens"].items()
        },
    },
    sys.stdout,
)
