"""Every route of an application, with its holes filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from flask import Flask

NOBODYS_KEY = UUID("01980000-0000-7000-8000-000000000000")
NOBODYS_ACCOUNT = 987654321
MISSING: Mapping[str, object] = {
    "key_id": NOBODYS_KEY,
    "key": NOBODYS_KEY,
    "session_id": NOBODYS_KEY,
    "account_id": NOBODYS_ACCOUNT,
    "token": "no-such-token",
    "filename": "app.css",
    "level": 0,
    "audience": "orders",
    "path": "of/the/visitor",
    "name": "limits",
}
"""What stands in the holes of paths when it shall be nobody's; a new name has to be added here."""


@dataclass(frozen=True)
class Stop:
    """One path of the crawl with the methods that it has."""

    endpoint: str
    rule: str
    path: str
    methods: frozenset[str]
    names: frozenset[str]

    @property
    def is_api(self) -> bool:
        """Whether it answers in JSON."""
        return self.path.startswith("/api/")


def stops(app: Flask, values: Mapping[str, object] | None = None) -> list[Stop]:
    """Every route, its holes filled from ``values`` or with what is nobody's.

    KeyError for a hole whose name is not known: a new kind of route needs a new value.
    """
    filled = {**MISSING, **(values or {})}
    adapter = app.url_map.bind("localhost")
    return [
        Stop(
            rule.endpoint,
            rule.rule,
            adapter.build(rule.endpoint, {name: filled[name] for name in rule.arguments}),
            frozenset(rule.methods or ()),
            frozenset(rule.arguments),
        )
        for rule in sorted(app.url_map.iter_rules(), key=lambda each: (each.rule, each.endpoint))
    ]
