"""Who asks: a key with its secret (RFC 7617) or a JWT (RFC 6750), never the browser's cookie.

A blueprint's authentication is the one function that stands before all of its views. Whoever
holds the secret is told why it is refused; to everybody else all refusals look alike. A body
may take its time, so whoever was let in by the head is asked again when it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Unpack
from uuid import UUID

from flask import Response, current_app, g, request
from werkzeug.exceptions import NotAcceptable

from portal.api.answers import PLAIN_ACCEPTS, is_acceptable
from portal.api.authorize import Asked, asked_by, is_preflight, let_through, terms_of_request
from portal.api.errors import failure, show_rule
from portal.api.route import Route, route_of
from portal.api.shown import shown, shows_header, shows_something
from portal.extensions import db
from portal.http import client_ip_address, request_id
from portal.http.credentials import BEARER, INVALID_TOKEN, challenge_for, read_bearer
from portal.http.limited import refuse_when_limited
from portal.models import ActorKind, Consent, UserSession
from portal.runtime import runtime
from portal.services.auth import jwt
from portal.services.core.actor import Actor
from portal.services.core.errors import ConsentLacking, Forbidden, InvalidInput, NotAdmitted, RuleError
from portal.services.core.outcomes import KEPT_OUT, Outcome
from portal.services.ratelimits import questions
from portal.services.verify.doorkeeper import STRANGER, Admission
from portal.services.verify.key_record import VerifiedKey

ADMISSION = "portal.admission"
"""Where in a request the short way leaves its answer, so that no call is counted twice."""

TOLD_WITH = {
    Outcome.EXPIRED: 401,
    Outcome.REVOKED: 401,
    Outcome.NOT_YET: 401,
    Outcome.ADDRESS: 403,
    Outcome.BLOCKED: 403,
    Outcome.LOCKED: 403,
    Outcome.LEVEL: 403,
    Outcome.THROTTLED: 429,
    Outcome.CONSENT_LACKING: 451,
}
TOLD_GATEWAYS = TOLD_WITH | {Outcome.CONSENT_LACKING: 403, Outcome.AUDIENCE: 403, Outcome.METHOD: 403}
IN_URL = frozenset({"access_token", "apikey", "api_key", "key", "password", "secret", "token"})


class Caller(NamedTuple):
    """Who was let in, and the level that counts."""

    account_id: int
    level: int
    key: VerifiedKey | None = None
    signed: UserSession | None = None


def admit_anybody() -> Response | None:
    """Stand before what is open to all."""
    if request.method == "OPTIONS":
        return _options()
    refuse_unfit()
    return None


def admit_key() -> Response | None:
    """Stand before what a key opens: let good ones in, if their level reaches; count them."""
    asked = request._get_current_object()  # type: ignore[attr-defined]  # spares looks through the proxy
    route = route_of(asked.endpoint)
    if asked.method == "OPTIONS":
        return _answer_options(lambda: _let_in(admit(introspects=route.introspects), TOLD_WITH))
    refuse_unfit()
    admission = admit(level=route.level, introspects=route.introspects, may_end=route.ends_itself)
    if route.body is not None and (admission.is_good or _may_ask_for_own_end(route, admission)):
        request.get_data()
        again = _admit_again(route)
        admission = again if admission.is_good or again.outcome is not Outcome.GOOD else admission
    if _may_ask_for_own_end(route, admission):
        if _asks_for_own_end(route, admission):
            admission = admission._replace(outcome=Outcome.GOOD)
        else:
            runtime.doorkeeper.refuse(admission)
    return _let_in(admission, TOLD_WITH)


def admit_visitor() -> Response | None:
    """Stand before forward auth: the visitor's own header says who it is.

    What else the visitor sends (``Accept``, a query behind a gateway's prefix) is not for the
    portal, so it refuses nothing.
    """
    terms = terms_of_request()
    if is_preflight(terms, request.environ) and not shows_header():
        return let_through()
    admission = admit(**asked_by(terms, request.environ))
    return _let_in(admission, TOLD_GATEWAYS)


def admit(**asked: Unpack[Asked]) -> Admission:
    """Have the doorkeeper check who asks, unless the short way has done so."""
    environ = request.environ
    admission: Admission | None = environ.get(ADMISSION)
    if admission is None:
        found = shown(body_is_there=False)
        admission = runtime.doorkeeper.admit(found, environ["REMOTE_ADDR"], **asked)
    g.limit_headers = admission.headers
    return admission


def _admit_again(route: Route) -> Admission:
    found = shown()
    if found is None:  # the body shows another key than the head
        return STRANGER
    return runtime.doorkeeper.admit_again(
        found,
        request.environ["REMOTE_ADDR"],
        level=route.level,
        introspects=route.introspects,
        may_end=route.ends_itself,
    )


def _may_ask_for_own_end(route: Route, admission: Admission) -> bool:
    """Whether a key that is kept out here, and lives, may come in to end itself."""
    return route.ends_itself and admission.outcome in KEPT_OUT


def _asks_for_own_end(route: Route, admission: Admission) -> bool:
    """Whether a key asks for its own end: it is named in the URL, or its secret is the token."""
    key, found = admission.key, shown()
    if key is None or found is None:
        return False
    if route.body is None:
        named: str = (request.view_args or {})["key"]
        return named.lower() == key.id
    return request.form.getlist("token") in ([found.secret], [f"{key.id}:{found.secret}"])


def tell_limits(response: Response) -> Response:
    """Tell in each answer what is left of the caller's limits."""
    response.headers.extend(g.get("limit_headers", ()))
    return response


def admit_jwt() -> Response | None:
    """Stand before what a JWT opens: let good ones in, if level and consent suffice."""
    if request.method == "OPTIONS":
        return _answer_options(_let_jwt_in)
    refuse_unfit()
    route = route_of(request.endpoint)
    refusal = _let_jwt_in(route)
    if refusal is None and route.body is not None:
        db.session.rollback()  # a body may take its time, and connections are few
        request.get_data()
        return _let_jwt_in(route)
    return refusal


def _let_jwt_in(route: Route | None = None) -> Response | None:
    """Let a good JWT in, where it reaches what the route asks for, if one is named."""
    header = request.environ.get("HTTP_AUTHORIZATION", "")
    token = read_bearer(header)
    signed = jwt.read(token) if token else None
    if signed is None:
        return _refuse(401, Outcome.UNKNOWN, INVALID_TOKEN if header else BEARER)
    account = signed.account
    if route and account.role.level < route.level:
        raise Forbidden
    if route and account.consent is Consent.NONE and not route.without_consent:
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
        session_id=signed.id if signed else None,
        ip_address=client_ip_address(),
        user_agent=request.user_agent.string,
        request_id=request_id(),
    )


def ask_again(error: RuleError) -> Response:
    """Tell what a rule said; or what the door says now, if it does not let in any more who was let in."""
    db.session.rollback()
    try:
        refusal = _door_now()
    except RuleError as closed:
        return show_rule(closed)
    if refusal is not None:
        return refusal
    if not isinstance(error, NotAdmitted):
        return show_rule(error)
    return _refuse(401, error.code, INVALID_TOKEN if caller().signed else None)


def _door_now() -> Response | None:
    """What the door says to who was let in; None when it still lets them in, or never did."""
    known: Caller | None = g.get("caller")
    route = route_of(request.endpoint)
    if known is None:
        return None
    if known.signed is not None:
        return _let_jwt_in(route)
    again = _admit_again(route)
    return None if _may_ask_for_own_end(route, again) else _let_in(again, TOLD_WITH)


def refuse_unfit() -> None:
    """Raise NotAcceptable for who takes no JSON, InvalidInput for credentials in the URL."""
    environ = request.environ
    accept = environ.get("HTTP_ACCEPT", "")
    if accept not in PLAIN_ACCEPTS and not is_acceptable(accept):
        raise NotAcceptable
    if environ.get("QUERY_STRING") and not IN_URL.isdisjoint(name.lower() for name in request.args):
        raise InvalidInput("credentialsInUrl", "")


def _let_in(admission: Admission, told_with: Mapping[Outcome, int]) -> Response | None:
    """Let a good key in; whoever lacks the secret is slowed and told nothing."""
    if admission.key is None:
        if shows_something():
            refuse_when_limited(questions.count_failed_key_check(client_ip_address()))
        return _refuse(401, Outcome.UNKNOWN)
    if not admission.is_good:
        response = _refuse(told_with[admission.outcome], admission.outcome)
        if admission.outcome is Outcome.THROTTLED:
            response.headers["Retry-After"] = str(admission.retry_after)
        return response
    g.caller = Caller(admission.key.account_id, admission.level, admission.key)
    return None


def _refuse(status: int, code: str, challenge: str | None = None) -> Response:
    """Refuse; without a ``challenge``, a 401 asks for what the header of the request speaks."""
    response = failure(status, code)
    if status == 401:
        header = request.environ.get("HTTP_AUTHORIZATION", "")
        response.headers["WWW-Authenticate"] = challenge or challenge_for(header)
    return response


def _answer_options(admit: Callable[[], Response | None]) -> Response:
    """Name the methods to whoever shows nothing, as browsers ask; refuse what has ended."""
    refusal = admit() if shows_header() else None
    return refusal or _options()


def _options() -> Response:
    """Name the methods, and allow no other origin anything."""
    response: Response = current_app.make_default_options_response()
    response.status_code = 204
    del response.headers["Content-Type"]
    return response
