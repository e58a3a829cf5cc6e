"""The four figures of the overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import format_decimal, format_percent, ngettext
from flask_babel import gettext as _

from portal import clock
from portal.models import ApiKey, key_states
from portal.services.keys.quotas import KeyQuota
from portal.services.usage.queries import Slot
from portal.web.filters import day, left

SPARK_DAYS = 14


@dataclass(frozen=True, slots=True)
class Tile:
    """A label, a figure and one line, with a bar (0 to 1) or the last days as small bars."""

    label: str
    figure: str
    line: str
    of: str = ""
    tone: str = ""
    share: float | None = None
    days: Sequence[int] = ()
    trend: str = ""
    name: str = ""


def of_quota(quota: KeyQuota) -> Tile:
    """How many keys are live, of how many."""
    more = max(0, quota.most - quota.live)
    return Tile(
        label=_("Live keys"),
        figure=format_decimal(quota.live),
        of=_("of %(most)s", most=format_decimal(quota.most)),
        line=ngettext("%(num)s more possible", "%(num)s more possible", more),
        tone="warn" if quota.is_nearly_full else "",
        share=min(1.0, quota.live / quota.most) if quota.most else 1.0,
    )


def of_calls(days: Sequence[Slot], before: int) -> Tile:
    """The calls of 30 days; ``before`` are those of the 30 days before."""
    calls = sum(day.calls for day in days)
    trend, line = "", _("None before that")
    if before:
        change = calls / before - 1
        trend = "trending-up" if change > 0 else "trending-down" if change < 0 else ""
        share = format_percent(abs(change), "#,##0 %")
        line = _("As many as before")
        if trend:
            line = _("%(share)s more", share=share) if change > 0 else _("%(share)s fewer", share=share)
    return Tile(
        label=_("Calls, 30 days"),
        figure=format_decimal(calls),
        line=line,
        trend=trend,
        days=[day.calls for day in days[-SPARK_DAYS:]],
    )


def of_refusals(days: Sequence[Slot]) -> Tile:
    """The refusals of 30 days."""
    refused = sum(day.refused for day in days)
    today = days[-1].refused
    return Tile(
        label=_("Refused, 30 days"),
        figure=format_decimal(refused),
        line=_("%(number)s today", number=format_decimal(today)) if refused else _("Every call was good"),
        tone="bad" if today else "",
        days=[day.refused for day in days[-SPARK_DAYS:]],
    )


def of_end(key: ApiKey | None) -> Tile:
    """Which key ends next, and when."""
    if key is None:
        return Tile(label=_("Next to expire"), figure="–", line=_("No key is live"))
    now = clock.utcnow()
    whole = key.expires_at - key.created_at
    return Tile(
        label=_("Next to expire"),
        figure=left(key.ends_at),
        line=day(key.ends_at),
        name=key.name,
        tone="warn" if key_states.is_soon(key, now) else "",
        share=max(0.0, (key.ends_at - now) / whole),
    )
