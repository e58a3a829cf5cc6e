"""Who asks: a key with its secret (RFC 7617) or a JWT (RFC 6750), never the browser's cookie.

A blueprint's authentication is the one function that stands before all of its views. Whoever
holds the secret is told why it is refused; to everybody else all refusals look alike.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from flask import Response, current_app, g, request
from werkzeug.exceptions import NotAcceptable

from portal import clock
from portal.api.answers import PLAIN_ACCEPTS, is_acceptable
from portal.api.errors import failure
from portal.api.route import route_of
from portal.http import client_address, request_id
from portal.http.basic import CHALLENGE, read_basic
from portal.http.limited import refuse_when_limited
from portal.models import ActorKind, Consent, SignedSession
from portal.services import jwt, limits
from portal.services.actor import Actor
from portal.services.errors import ConsentLacking, Forbidden, InvalidInput
from portal.services.verification import UNKNOWN, Decision, KeyFacts, Outcome

BEARER = 'Bearer realm="Chatelaine"'
TOLD_WITH = {
    Outcome.EXPIRED: 401,
    Outcome.REVOKED: 401,
    Outcome.BLOCKED: 403,
    Outcome.LOCKED: 403,
    Outcome.CONSENT_LACKING: 451,
}
IN_URL = frozenset({"access_token", "apikey", "api_key", "key", "password", "secret", "token"})


class Caller(NamedTuple):
    """Who was let in, and the level that counts."""

    account_id: int
    level: int
    key: KeyFacts | None = None
    signed: SignedSession | None = None


def admit_anybody() -> Response | None:
    """Stand before what is open to all."""
    if request.method == "OPTIONS":
        return _options()
    refuse_unfit()
    return None


def admit_key() -> Response | None:
    """Stand before what a key opens: let good ones in, if their level reaches; count them."""
    asked = request._get_current_object()  # type: ignore[attr-defined]  # spares looks through the proxy
    if asked.method == "OPTIONS":
        return _options()
    refuse_unfit()
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the same
    environ = asked.environ
    pair = read_basic(environ.get("HTTP_AUTHORIZATION", ""))
    decision: Decision = app.extensions["verifier"].decide(*pair) if pair else UNKNOWN
    if decision.outcome is not Outcome.GOOD or decision.key is None:
        return _refuse_key(decision)
    if decision.level < route_of(asked.endpoint).level:
        app.extensions["usage"].note_refusal(decision.key_id, clock.now_ms(), Forbidden.code)
        raise Forbidden
    app.extensions["usage"].note_call(decision.key_id, environ["REMOTE_ADDR"], clock.now_ms())
    g.caller = Caller(decision.key.account_id, decision.level, decision.key)
    return None


def admit_jwt() -> Response | None:
    """Stand before what a JWT opens: let good ones in, if level and consent suffice."""
    if request.method == "OPTIONS":
        return _options()
    refuse_unfit()
    header = request.environ.get("HTTP_AUTHORIZATION", "")
    token = read_bearer(header)
    signed = jwt.read(token) if token else None
    if signed is None:
        challenge = f'{BEARER}, error="invalid_token"' if header else BEARER
        return _refuse(401, Outcome.UNKNOWN, challenge)
    account = signed.account
    route = route_of(request.endpoint)
    if account.role.level < route.level:
        raise Forbidden
    if account.consent == Consent.NONE and not route.without_consent:
        raise ConsentLacking
    g.caller = Caller(account.id, account.role.level, signed=signed)
    return None


def caller() -> Caller:
    """Who was let in; for views behind a door."""
    found: Caller = g.caller
    return found


def actor() -> Actor:
    """Who asks, for the rules."""
    known: Caller | None = g.get("caller")
    key = known.key if known else None
    signed = known.signed if known else None
    kind = ActorKind.KEY if key else ActorKind.JWT if signed else ActorKind.ANONYMOUS
    return Actor(
        kind=kind,
        account_id=known.account_id if known else None,
        key_id=UUID(key.id) if key else None,
        key_level=known.level if known and key else None,
        session_id=signed.id if signed else None,
        address=client_address(),
        user_agent=request.user_agent.string,
        request_id=request_id(),
    )


def read_bearer(header: str) -> str | None:
    """The token of a Bearer header; None for everything that is not quite one."""
    scheme, _space, token = header.partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token.isascii() or " " in token:
        return None
    return token or None


def refuse_unfit() -> None:
    """Raise NotAcceptable for who takes no JSON, InvalidInput for credentials in the URL."""
    environ = request.environ
    accept = environ.get("HTTP_ACCEPT")
    if accept not in PLAIN_ACCEPTS and not is_acceptable(accept):
        raise NotAcceptable
    if environ.get("QUERY_STRING") and not IN_URL.isdisjoint(name.lower() for name in request.args):
        raise InvalidInput("credentialsInUrl", "")


def _refuse_key(decision: Decision) -> Response:
    if decision.key is not None:
        current_app.extensions["usage"].note_refusal(decision.key_id, clock.now_ms(), decision.outcome)
        return _refuse(TOLD_WITH[decision.outcome], decision.outcome, CHALLENGE)
    if "HTTP_AUTHORIZATION" in request.environ:
        refuse_when_limited(limits.failed_key_check(client_address()))
    return _refuse(401, Outcome.UNKNOWN, CHALLENGE)


def _refuse(status: int, code: str, challenge: str) -> Response:
    response = failure(status, code)
    if status == 401:
        response.headers["WWW-Authenticate"] = challenge
    return response


def _options() -> Response:
    """Name the methods, and allow no other origin anything."""
    response: Response = current_app.make_default_options_response()
    response.status_code = 204
    del response.headers["Content-Type"]
    return response
