"""What the OpenAPI description says, as rows for a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext

from portal.error_messages import SENTENCES, sentence

CHAPTERS = {
    "apikeys": "api-keys",
    **dict.fromkeys(("signup", "confirm", "signin", "account", "available"), "api-accounts"),
}
"""The page of the routes that begin with a word; what is not here checks keys or takes reports."""

GATEWAYS = "/api/authorize"
"""It answers with the few statuses that gateways pass on, so a code's own one stands elsewhere."""

ONE_OF_TWO = re.compile(r"/(?:key|jwt)$")


@dataclass(frozen=True, slots=True)
class DescribedRoute:
    """One route: what it takes and what it gives."""

    method: str
    path: str
    level: int | None
    summary: str
    status: str
    query: tuple[str, ...]
    fields: dict[str, bool]
    """Of its body, by their names: whether they are required."""
    codes: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its anchor: ``get-apikeys-auth``."""
        return "-".join([self.method.lower(), *re.findall(r"\w+", self.path.removeprefix("/api/"))])

    @property
    def chapter(self) -> str:
        """The page that it stands on."""
        first = self.path.split("/")[2]
        return CHAPTERS.get(first, "api-checks")


@dataclass(frozen=True, slots=True)
class DescribedError:
    """One code of an error and its status."""

    code: str
    status: str

    @property
    def sentence(self) -> str:
        """What it says, in the reader's language; figures are left open."""
        return re.sub(r"%\((\w+)\)s", "…", sentence(self.code))


def routes(document: dict[str, Any]) -> list[DescribedRoute]:
    """Every route, in the order of the description.

    One that any method opens stands there once, and so does one that a key and a JWT open alike:
    its path ends in ``{auth}``.
    """
    found: list[DescribedRoute] = []
    for path, operations in document["paths"].items():
        if len(operations) > 1 and len({each["summary"] for each in operations.values()}) == 1:
            found.append(_route(document, gettext("any"), path, next(iter(operations.values()))))
        else:
            found += [_route(document, method.upper(), path, each) for method, each in operations.items()]
    return _paired(found)


def _paired(found: list[DescribedRoute]) -> list[DescribedRoute]:
    """Two routes that differ by how one proves who one is become one, with the codes of both."""
    paired: dict[tuple[str, str, str], DescribedRoute] = {}
    for route in found:
        path = ONE_OF_TWO.sub("/{auth}", route.path)
        place = (route.method, path, route.summary)
        if place in paired:
            codes = tuple(dict.fromkeys((*paired[place].codes, *route.codes)))
            paired[place] = replace(route, path=path, codes=codes)
        else:
            paired[place] = route
    return list(paired.values())


def errors(document: dict[str, Any]) -> list[DescribedError]:
    """Every code there is, by status; at the end, without one, those that only pages have."""
    statuses = {"notFound": "404", "methodNotAllowed": "405"}
    for _path, operations in sorted(document["paths"].items(), key=lambda each: each[0] == GATEWAYS):
        for operation in operations.values():
            for status, response in operation["responses"].items():
                statuses = dict.fromkeys(response.get("x-codes", ()), status) | statuses
    told = [DescribedError(code, statuses.get(code, "")) for code in SENTENCES]
    return sorted(told, key=lambda error: (error.status or "999", error.code))


def _route(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> DescribedRoute:
    responses = operation["responses"]
    return DescribedRoute(
        method=method,
        path=path,
        level=operation.get("x-level"),
        summary=operation["summary"],
        status=next(status for status in responses if status.startswith("2")),
        query=tuple(each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"),
        fields=_fields(document, operation),
        codes=tuple(operation["x-codes"]),
    )


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, bool]:
    body = operation.get("requestBody")
    if body is None:
        return {}
    (content,) = body["content"].values()
    schema = _referred(document, content["schema"])
    if "items" in schema:
        schema = _referred(document, schema["items"])
    return {name: name in schema.get("required", ()) for name in schema["properties"]}


def _referred(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found
