"""What the OpenAPI description says, as rows for a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext

from portal.error_messages import sentence


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
    """Every route, in the order of the description; one that any method opens stands there once."""
    found = []
    for path, operations in document["paths"].items():
        if len(operations) > 1 and len({each["summary"] for each in operations.values()}) == 1:
            found.append(_route(document, gettext("any"), path, next(iter(operations.values()))))
        else:
            found += [_route(document, method.upper(), path, each) for method, each in operations.items()]
    return found


def errors(document: dict[str, Any]) -> list[DescribedError]:
    """Every code that any route, or any other path, can answer with, by status."""
    found = {DescribedError("notFound", "404"), DescribedError("methodNotAllowed", "405")} | {
        DescribedError(code, status)
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        for code in response.get("x-codes", ())
    }
    return sorted(found, key=lambda error: (error.status, error.code))


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
