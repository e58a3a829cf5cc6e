"""The parts that live as long as the application: made once, closed in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask, current_app
from werkzeug.local import LocalProxy

from portal.http.credentials import KeyHeaders
from portal.redaction import Redactor
from portal.services.calls.limits import CallLimits
from portal.services.usage.collector import UsageCollector
from portal.services.verify.doorkeeper import Doorkeeper
from portal.services.verify.verifier import Verifier

_NAME = "chatelaine"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the doors share."""

    redactor: Redactor
    key_headers: KeyHeaders
    usage: UsageCollector
    call_limits: CallLimits
    verifier: Verifier
    doorkeeper: Doorkeeper
    openapi: Callable[[], dict[str, Any]]

    def attach(self, app: Flask) -> None:
        """Belong to an application from now on."""
        app.extensions[_NAME] = self

    def close(self) -> None:
        """Write what was collected, give back what was leased, and let go of the connections."""
        self.usage.close()
        self.call_limits.close()
        self.verifier.close()


def runtime_of(app: Flask) -> Runtime:
    """The parts of an application."""
    return cast(Runtime, app.extensions[_NAME])


runtime: Runtime = cast(Runtime, LocalProxy(lambda: runtime_of(current_app)))
"""The parts of the application that is in context."""
