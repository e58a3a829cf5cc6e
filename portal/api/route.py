"""A route of the API as data: blueprints, OpenAPI, documentation and tests are made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from portal.api.answers import FORM, JSON


class Door(StrEnum):
    """How a caller proves who they are."""

    OPEN = "open"
    JWT = "jwt"
    KEY = "key"
    VISITOR = "visitor"
    """A gateway asks about its visitor, whose own header it passes on."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path behind one door. ``path`` is a rule of Flask, without ``/api``."""

    method: str
    path: str
    door: Door
    view: Callable[..., ResponseReturnValue]
    summary: str
    status: int = 200
    level: int = 0
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_required: bool = True
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    without_consent: bool = False
    introspects: bool = False
    """Whether service keys may come, and else keys of the level for reading others' data."""
    ends_itself: bool = False
    """Whether a key may come in to end itself, whatever keeps it out otherwise."""
    is_form: bool = False
    """Whether the body is a form, as the RFCs on tokens have it, and not JSON."""

    @property
    def takes(self) -> str:
        """The media type of its body."""
        return FORM if self.is_form else JSON

    @property
    def name(self) -> str:
        """Its name within the blueprint of its door."""
        return f"{self.view.__module__.rpartition('.')[2]}_{self.view.__name__}"

    @property
    def endpoint(self) -> str:
        """Its name in Flask's URL map."""
        return f"{blueprint_name(self.door)}.{self.name}"


_by_endpoint: dict[str, Route] = {}


def blueprint_name(door: Door) -> str:
    """The name of the blueprint behind a door."""
    return f"api_{door}"


def register(routes: Iterable[Route]) -> None:
    """Let :func:`route_of` find these routes."""
    _by_endpoint.update((route.endpoint, route) for route in routes)


def route_of(endpoint: str | None) -> Route:
    """The route that is being answered."""
    return _by_endpoint[endpoint or ""]
