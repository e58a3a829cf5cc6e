"""What services ask about the keys of others: RFC 7662, RFC 7009, and many at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnsupportedMediaType

from portal.api import body
from portal.api.answers import answer
from portal.api.auth import actor, caller
from portal.api.schemas import ActiveAnswer, InactiveAnswer, IntrospectedAnswer, Success
from portal.http.proxy import canonical_address
from portal.permissions import SUPPORT
from portal.services import keys, operators
from portal.services.doorkeeper import Admission, Credentials, Doorkeeper
from portal.services.errors import Forbidden, InvalidInput
from portal.services.verification import CANONICAL_UUID, KeyFacts, Verifier

MOST_TOKENS = 100
LONGEST_TOKEN = 512


def introspect() -> ResponseReturnValue:
    """Tell whether a token is good, and for what (RFC 7662).

    ``token`` is a secret, or key, colon, secret. ``address`` is where its user comes from; a
    key that is bound to networks is active only when it is told.
    """
    form = _form()
    admission = _admit(_token(form.get("token")), _address(form.get("address")))
    response = answer(_told(admission))
    response.headers.extend(admission.headers)
    if admission.retry_after:
        response.headers["Retry-After"] = str(admission.retry_after)
    return response


def introspect_many() -> ResponseReturnValue:
    """Tell the same of up to 100 tokens, in their order; for services that keep the answers."""
    given = body.read_object().get("tokens")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_TOKENS:
        raise InvalidInput("fieldInvalid", "tokens")
    asked = [_one_of_many(each) for each in given]
    return answer(IntrospectedAnswer(tokens=[_told(_admit(*each)) for each in asked]))


def revoke() -> ResponseReturnValue:
    """Revoke a token (RFC 7009): one of the caller's account, or for support anybody's.

    Also 200 for what is no token of ours, or was revoked before.
    """
    shown = _token(_form().get("token"))
    key = _find(shown)
    if key is not None:
        me = caller()
        if key.account_id == me.account_id:
            keys.revoke_key(actor(), UUID(key.id))
        elif me.level >= SUPPORT:
            operators.revoke_one(actor(), UUID(key.id), why="RFC 7009")
        else:
            raise Forbidden
    return answer(Success())


def _form() -> dict[str, str]:
    if request.mimetype != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType
    for name in ("token", "address"):
        if len(request.form.getlist(name)) > 1:
            raise InvalidInput("fieldInvalid", name)
    return request.form.to_dict()


def _token(text: Any) -> Credentials:
    if not isinstance(text, str) or not text or len(text) > LONGEST_TOKEN:
        raise InvalidInput("tokenMissing" if not text else "fieldInvalid", "token")
    key_id, colon, secret = text.partition(":")
    return Credentials(key_id, secret) if colon else Credentials(None, text)


def _address(text: Any) -> str | None:
    if text is None or text == "":
        return None
    address = canonical_address(text) if isinstance(text, str) else ""
    if not address:
        raise InvalidInput("fieldInvalid", "address")
    return address


def _one_of_many(each: Any) -> tuple[Credentials, str | None]:
    if isinstance(each, dict):
        return _token(each.get("token")), _address(each.get("address"))
    return _token(each), None


def _admit(shown: Credentials, address: str | None) -> Admission:
    keeper: Doorkeeper = current_app.extensions["doorkeeper"]
    return keeper.admit(shown, address)


def _told(admission: Admission) -> ActiveAnswer | InactiveAnswer:
    key = admission.key
    if key is None or not admission.is_good:
        return InactiveAnswer()
    return ActiveAnswer(
        sub=str(key.account_id),
        username=key.username,
        client_id=UUID(key.id),
        scope=f"level:{admission.level}",
        level=admission.level,
        role=key.role,
        iat=key.created_at // 1000,
        exp=key.ends_at // 1000,
    )


def _find(shown: Credentials) -> KeyFacts | None:
    """The key whose secret this is; it is not used, so nothing is counted."""
    verifier: Verifier = current_app.extensions["verifier"]
    if shown.key_id is None:
        return verifier.decide_secret(shown.secret).key
    if not CANONICAL_UUID.fullmatch(shown.key_id.lower()):
        return None
    return verifier.decide(shown.key_id, shown.secret).key
