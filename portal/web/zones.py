"""The time zone that a reader's pages are written in.

The browser tells it by a cookie that ``static/zone.js`` sets. It is no secret and opens nothing: a name
that the database of time zones doesn't know is as good as none, and without one it is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from flask import Flask, g, has_request_context, request

COOKIE = "zone"
LONGEST_NAME = 64
SECOND = timedelta(seconds=1)

_NAME = re.compile(r"[A-Z][A-Za-z0-9+_-]*(/[A-Z0-9][A-Za-z0-9+_-]*){0,2}", re.ASCII)
_UTC_TOO = frozenset({"UTC", "UCT", "Zulu", "Universal", "GMT", "Etc/UTC", "Etc/GMT", "Factory"})


def find_zone(name: str) -> tzinfo | None:
    """The time zone of an IANA name; None when there is none of this name."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        return None
    return UTC if name in _UTC_TOO else _load(name)


def reader_zone() -> tzinfo:
    """The zone of whoever asks for this page; UTC until their browser has told it, and outside a request."""
    if not has_request_context():
        return UTC
    if "zone" not in g:
        g.zone = find_zone(request.cookies.get(COOKIE, "")) or UTC
    zone: tzinfo = g.zone
    return zone


def zone_name() -> str:
    """What the reader's zone is called: ``Europe/Berlin``, ``UTC``."""
    return str(reader_zone()).replace("_", " ")


def local(moment: datetime) -> datetime:
    """A moment as the reader's clocks show it."""
    return moment.astimezone(reader_zone())


def first_moment(day: date, zone: tzinfo) -> datetime:
    """When a day begins in a zone, in UTC; where clocks skip its midnight, when they do."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def last_second(day: date, zone: tzinfo) -> datetime:
    """The last second of a day in a zone, in UTC: 23:59:59, by the later clock where it comes twice."""
    return first_moment(day + timedelta(days=1), zone) - SECOND


def init_app(app: Flask) -> None:
    """Offer the zone's name to the templates."""
    app.add_template_global(zone_name)


@lru_cache(maxsize=1024)
def _load(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # no such name, a folder, or a file that is no zone
        return None
