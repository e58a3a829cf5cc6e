"""Logs: one event a line on standard error, that nobody can forge and that tell no secret."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config import Settings
from portal.http.request import API, REQUEST_ID, request_id
from portal.redaction import Redactor, redactor_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SLOW = 1.0
"""Seconds from which on an answer is slow enough for a line of its own."""

LONGEST_VALUE = 500
LONGEST_TRACEBACK = 8000
"""Characters that stay of one value and of a traceback: what strangers send must fill no disk."""

_log = structlog.stdlib.get_logger("portal.access")


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.stream = sys.stderr
        super().emit(record)


class Bounds:
    """Cuts each value of a line short.

    Secrets are hidden before, or else half of one could be left where it is cut.
    """

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Give the line back with short values."""
        for name, value in event.items():
            longest = LONGEST_TRACEBACK if name == "exception" else LONGEST_VALUE
            text = value if isinstance(value, str) else repr(value)
            if len(text) > longest:
                event[name] = self._cut(text, longest)
        return event

    def _cut(self, text: str, longest: int) -> str:
        begun = self._redact.hide(text[: longest * 4])
        return f"{begun[:longest]}… ({len(text)} characters)"


def init_app(settings: Settings) -> None:
    """Send what is logged, by the portal and its libraries, through one handler to stderr."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _add_request_id,
        structlog.processors.format_exc_info,
    ]
    render: Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        render = _render_for_terminal
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler, redact = _Stderr(), redactor_of(settings)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                Bounds(redact),
                render,
                lambda _logger, _method, line: redact.hide(line),  # type: ignore[arg-type]
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, _Stderr)]
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)


def log_request(environ: WSGIEnvironment, status: str, elapsed: float) -> None:
    """Write a line about an answer that went wrong or was slow; the route, never the path.

    Refusals of the API are told at debug only, so that a flood of them fills no disk.
    """
    request = environ.get("werkzeug.request")
    rule = getattr(request, "url_rule", None)
    api = environ.get("PATH_INFO", "").startswith(API)
    level = logging.INFO
    if status[0] == "5" or elapsed > SLOW:
        level = logging.WARNING
    elif api and status[:3] in {"401", "429"}:
        level = logging.DEBUG
    _log.log(
        level,
        "answered",
        method=environ.get("REQUEST_METHOD"),
        route=rule.rule if rule else None,
        status=int(status[:3]),
        milliseconds=round(elapsed * 1000, 1),
        address=environ.get("REMOTE_ADDR"),
        request_id=environ.get(REQUEST_ID),
    )


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if (known := request_id()) and "request_id" not in event:
        event["request_id"] = known
    return event


def _render_for_terminal(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """key=value on one line; a traceback below it, indented, its control characters escaped."""
    traceback = event.pop("exception", "")
    first: list[Any] = [event.pop(name, "") for name in ("at", "level", "event")]
    rest = (f"{name}={_plain(value)}" for name, value in event.items())
    line = " ".join([*(_plain(value) for value in first), *rest])
    return "\n    ".join([line, *(_plain(each) for each in traceback.splitlines())])


def _plain(value: object) -> str:
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(value))
