"""Forward auth: a gateway asks whether to let its visitor through.

The gateway passes the visitor's own ``Authorization`` header on. The answer is 204 with who
the visitor is, in headers for the service behind; or 401, 403 or 429, to be passed back as
it is. Gateways know no other refusals, so a lacking consent is 403 here. Behind a prefix the
good answer is 200: Envoy, whose way that is, takes no other. Where the gateway says so, a
browser's preflight passes without a key, and without an identity.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypedDict
from urllib.parse import quote, unquote_plus

from flask import Response, g, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from werkzeug.routing import PathConverter

from portal.api.answers import KEPT_ANSWERS, empty
from portal.api.schemas import LevelNumber
from portal.http.kept import kept_if_short
from portal.http.proxy import VISITORS_METHOD
from portal.permissions import HIGHEST_LEVEL
from portal.services.core.errors import InvalidInput
from portal.services.core.outcomes import ShownAt
from portal.services.keys.audiences import check_audience
from portal.services.verify.key_record import VerifiedKey

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Gateways ask with GET, or with the visitor's method; HEAD comes along, OPTIONS is one more."""

WITH_PREFLIGHTS = "/preflight=pass"
BEHIND_PREFIX = tuple(
    f"/authorize{preflight}{audience}/level/<int:level>{visited}"
    for preflight in ("", WITH_PREFLIGHTS)
    for audience in ("", "/audience=<audience>")
    for visited in ("", "/<visited:path>")
)
"""For gateways that put the visitor's own path behind a prefix; what they ask stands before it."""

LONGEST_KEPT_TERMS = 200
"""Characters; a gateway that is set up once sends the same few."""

READABLE = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"


class VisitedPath(PathConverter):
    """What the visitor asks the service for: any path, none (``/``) and ``//`` included."""

    regex = ".*?"
    part_isolating = False


class TermsQuery(BaseModel):
    """What stands in the query, to be described; :func:`read_terms`, which is asked often, reads it."""

    level: LevelNumber = Field(description="The level that the service behind asks for; 0 without it.")
    methods: str = Field(description="Methods that are open, separated by commas; all without it.")
    method: str = Field(description="The method of the visitor's request; methods needs it.")


class Terms(NamedTuple):
    """What a gateway asks for: a level, and the methods that are open (none named: all).

    ``method`` is the visitor's, where the query tells it. With ``preflight`` those of browsers pass.
    ``audience`` is the service in whose name is asked.
    """

    level: int
    methods: frozenset[str] = frozenset()
    method: str | None = None
    preflight: bool = False
    audience: str | None = None


class Asked(TypedDict, total=False):
    """What a door asks for, as the doorkeeper wants to know it."""

    level: int
    introspects: bool
    may_end: bool
    is_open: bool
    audience: str | None
    shown_at: ShownAt
    method: str


@kept_if_short(256, LONGEST_KEPT_TERMS)
def read_terms(query: str) -> Terms:
    """Read what stands in the query, such as ``level=3&methods=GET,HEAD&method=POST&audience=orders``.

    The method is taken as it stands, since a visitor may write ``GE%54``. Raises InvalidInput
    for anything that isn't quite that: a gateway that is set up wrongly lets nobody through.
    """
    found: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _equals, value = part.partition("=")
        if name not in Terms._fields or name in found:
            raise InvalidInput("fieldInvalid", name[:40])
        found[name] = value if name == "method" else unquote_plus(value)
    level = found.get("level", "0")
    if not (len(level) == 1 and level.isascii() and level.isdigit() and int(level) <= HIGHEST_LEVEL):
        raise InvalidInput("invalidLevel", "level")
    preflight = "preflight" in found
    if preflight and found["preflight"] != "pass":
        raise InvalidInput("fieldInvalid", "preflight")
    audience = found.get("audience")
    if audience is not None:
        check_audience(audience)
    terms = Terms(int(level), frozenset(), found.get("method"), preflight, audience)
    if "methods" not in found:
        return terms
    methods = frozenset(method.strip().upper() for method in found["methods"].split(","))
    if not all(method.isascii() and method.isalpha() for method in methods):
        raise InvalidInput("fieldInvalid", "methods")
    return terms._replace(methods=methods)


def is_open(terms: Terms, environ: WSGIEnvironment) -> bool:
    """Whether the method of the visitor's request is among those that are open.

    The query tells it, or else a header that has been let through as one to be believed. A
    gateway sets one of these and may pass the other on as the visitor wrote it, so all that
    are there have to say the same. Raises InvalidInput when nobody tells the method: that of
    the question is not the visitor's.
    """
    if not terms.methods:
        return True
    told = _told(terms, environ)
    return all(method in terms.methods for method in told)


def closed_method(terms: Terms, environ: WSGIEnvironment) -> str:
    """The first method that is told and is not open."""
    return next((method for method in _told(terms, environ) if method not in terms.methods), "")


def asked_by(terms: Terms, environ: WSGIEnvironment) -> Asked:
    """What a gateway asks for its visitor. Raises InvalidInput, as :func:`is_open`."""
    may_pass = is_open(terms, environ)
    return {
        "level": terms.level,
        "is_open": may_pass,
        "audience": terms.audience,
        "shown_at": ShownAt.FORWARD_AUTH,
        "method": "" if may_pass else closed_method(terms, environ),
    }


def is_preflight(terms: Terms, environ: WSGIEnvironment) -> bool:
    """Whether it is a browser's preflight (Fetch, 4.8) that the gateway lets pass: it never holds a key.

    Raises InvalidInput when nobody tells the method.
    """
    if not terms.preflight or any(method != "OPTIONS" for method in _told(terms, environ)):
        return False
    return bool(environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD"))


def _told(terms: Terms, environ: WSGIEnvironment) -> list[str]:
    told = [environ[name] for name in VISITORS_METHOD if name in environ]
    if terms.method is not None:
        told = [terms.method]
    if not told:
        raise InvalidInput("methodMissing", "method")
    return told


def identity(key: VerifiedKey, level: int) -> tuple[tuple[str, str], ...]:
    """Who the visitor is, as headers; a name that isn't ASCII is percent-encoded UTF-8."""
    return _written(key.id, level, key.account_id, key.username, key.role)


@lru_cache(KEPT_ANSWERS)
def _written(
    key_id: str, level: int, account_id: int, username: str, role: str
) -> tuple[tuple[str, str], ...]:
    return (
        ("Portal-Account", str(account_id)),
        ("Portal-Username", quote(username, safe=READABLE)),
        ("Portal-Role", role),
        ("Portal-Level", str(level)),
        ("Portal-Key", key_id),
    )


def authorize(**_terms: object) -> ResponseReturnValue:
    """Let the visitor through: whoever was not let in does not come here."""
    key: VerifiedKey = g.caller.key
    response = let_through()
    response.headers.extend(identity(key, g.caller.level))
    return response


def let_through() -> Response:
    """An answer that lets the visitor through, with no word about who it is."""
    return empty(200 if "level" in (request.view_args or {}) else 204)


def terms_of_request() -> Terms:
    """The terms, from the query; or from the path alone, where the rest of it is the visitor's.

    Envoy puts the visitor's path and query behind a prefix that the operator sets, so there
    the query is the visitor's word and says nothing.
    """
    named = request.view_args or {}
    found, audience = named.get("level"), named.get("audience")
    if found is None:
        return read_terms(request.environ.get("QUERY_STRING", ""))
    if found > HIGHEST_LEVEL:
        raise InvalidInput("invalidLevel", "level")
    if audience is not None:
        check_audience(audience)
    preflight = request.path.startswith(f"/api/authorize{WITH_PREFLIGHTS}/")
    return Terms(found, method=request.method, preflight=preflight, audience=audience)
