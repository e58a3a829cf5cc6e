"""What services ask about the keys of others: RFC 7662, RFC 7009, and many at once."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

from flask import Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnsupportedMediaType

from portal.api import body
from portal.api.answers import FORM, KEPT_ANSWERS, PLAIN_ACCEPTS, answer
from portal.api.auth import actor, caller
from portal.api.schemas import Success
from portal.api.token_schemas import (
    ActiveAnswer,
    IntrospectedToken,
    Token,
    TokenOfMany,
    Tokens,
    read_ip_address,
    read_token,
)
from portal.extensions import settings
from portal.http.headers import JSON_TYPE
from portal.permissions import scope_of
from portal.runtime import runtime
from portal.services.core.errors import InvalidInput, NotFound
from portal.services.core.outcomes import ShownAt
from portal.services.keys import revocation
from portal.services.operators import actions
from portal.services.verify.doorkeeper import Admission, Credentials

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LONGEST_LENGTH = 4
"""Digits of the length of a plain request."""
FIELDS = frozenset({"token", "token_type_hint", "address"})
ONCE = FIELDS | {"client_id", "client_secret"}
INACTIVE = b'{"active":false}'
"""All that is told of a token that opens nothing (RFC 7662, 2.2)."""


class Question(NamedTuple):
    """What introspection is asked: a token, and where its user comes from, if that is told."""

    token: Credentials
    address: str | None


def introspect() -> ResponseReturnValue:
    """Tell whether a token is good, and for what (RFC 7662).

    ``token`` is a secret, or key, colon, secret. ``address`` is where its user comes from; a
    key that is bound to networks is active only when it is told.
    """
    told = _admit(body.as_model(IntrospectedToken, _form()))
    return Response(_told_here(told), headers=headers_of(told), content_type=JSON_TYPE)


def told_of(admission: Admission, issuer: str, audience: str | None) -> bytes:
    """The answer about one token; ``issuer`` is the portal's own address.

    ``audience`` is in whose name was asked. Whoever asks in nobody's name is told all the
    audiences that the key is bound to, and has to look for its own among them.
    """
    key = admission.key
    if key is None or not admission.is_good:
        return INACTIVE
    who = (key.id, key.account_id, key.username, key.role)
    begins = key.not_before // 1000 if key.not_before is not None else None
    return _written(
        (issuer, audience or key.audiences),
        who,
        admission.level,
        (key.created_at // 1000, begins, key.ends_at // 1000),
    )


def headers_of(admission: Admission) -> list[tuple[str, str]]:
    """When to ask again, where the token's key has used up its calls.

    The other headers on limits are about who asks, here as everywhere.
    """
    return [("Retry-After", str(admission.retry_after))] if admission.retry_after else []


def read_plain(environ: WSGIEnvironment) -> Question | None:
    """The question of a plain request, read without Flask; None for what isn't quite one.

    The body can be read again afterwards.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    is_plain = (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE") == FORM
        and environ.get("HTTP_ACCEPT") in PLAIN_ACCEPTS
        and not environ.get("QUERY_STRING")
        and len(length) <= LONGEST_LENGTH
        and length.isdecimal()
    )
    if not is_plain:
        return None
    data = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(data)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        form = dict(pairs)
        if len(form) != len(pairs) or not form.keys() <= FIELDS or "\0" in "".join(form.values()):
            return None
        return Question(read_token(form.get("token")), read_ip_address(form.get("address")))
    except ValueError:
        return None


def introspect_many() -> ResponseReturnValue:
    """Tell the same of up to 100 tokens, in their order; for services that keep the answers."""
    told = b",".join(_told_here(_admit(each)) for each in body.read(Tokens).tokens)
    return Response(b'{"result":"success","tokens":[%b]}' % told, content_type=JSON_TYPE)


def revoke() -> ResponseReturnValue:
    """Revoke a token (RFC 7009): one of the caller's account, or for support anybody's.

    Also 200 for what is no token of ours, or was revoked before.
    """
    key = runtime.doorkeeper.find_key(body.as_model(Token, _form()).token)
    if key is not None:
        if key.account_id == caller().account_id:
            revocation.revoke_key(actor(), UUID(key.id), holds_secret=True)
        else:
            with suppress(NotFound):  # the account was removed, and its keys with it
                actions.revoke_one(actor(), UUID(key.id), why="RFC 7009")
    return answer(Success())


def _form() -> dict[str, str]:
    if request.mimetype != FORM:
        raise UnsupportedMediaType
    for name, values in request.form.lists():
        if (len(values) > 1 and name in ONCE) or any("\0" in value for value in values):
            raise InvalidInput("fieldInvalid", name if name in ONCE else "token")
    return request.form.to_dict()


def _admit(asked: IntrospectedToken | TokenOfMany) -> Admission:
    return runtime.doorkeeper.admit(
        asked.token, asked.address, audience=_asking(), shown_at=ShownAt.INTROSPECTION
    )


def _told_here(admission: Admission) -> bytes:
    return told_of(admission, settings.base_url, _asking())


def _asking() -> str | None:
    """In whose name the caller asks."""
    key = caller().key
    return key.audience if key else None


@lru_cache(KEPT_ANSWERS)
def _written(
    between: tuple[str, str], who: tuple[str, int, str, str], level: int, times: tuple[int, int | None, int]
) -> bytes:
    """Write the answer about a good token. It can be kept: it is the same for these arguments."""
    issuer, audiences = between
    key_id, account_id, username, role = who
    issued, begins, ends = times
    told = ActiveAnswer(
        sub=str(account_id),
        username=username,
        client_id=UUID(key_id),
        scope=" ".join(scope_of(each) for each in range(level + 1)),
        level=level,
        role=role,
        iss=issuer,
        aud=(audiences.split(" ") if " " in audiences else audiences) or None,
        iat=issued,
        nbf=begins,
        exp=ends,
    )
    return told.model_dump_json(exclude_none=True).encode()
