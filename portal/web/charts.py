"""Use as pages draw it: bars with their words, a scale, marks below, and the reasons of refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_skeleton
from babel.numbers import format_compact_decimal
from flask import Flask, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _

from portal.labels import REFUSALS
from portal.permissions import N_
from portal.services.usage.queries import SLOTS, Series, Span
from portal.web.filters import day

Tab = tuple[str, None, str, bool]
STEPS = (1, 2, 3, 4, 5, 6, 8, 10)
"""Where a scale may end, times a power of ten."""
SPANS = {
    Span.DAY: (N_("24 hours"), N_("The last 24 hours"), N_("Hour (UTC)"), N_("Each bar is an hour, UTC.")),
    Span.MONTH: (N_("30 days"), N_("The last 30 days"), N_("Day (UTC)"), N_("Each bar is a day, UTC.")),
    Span.YEAR: (
        N_("Year"),
        N_("The last 52 weeks"),
        N_("Week from (UTC)"),
        N_("Each bar is a week from Monday on, UTC."),
    ),
}
"""What a span is called on its tab and above its chart; what one of its slots is, above a column and below
the bars."""
MARKS = 3
"""Into how many parts the marks below divide a chart; four of them fit on a phone."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One slot: when it is, in words, and what was counted in it."""

    when: str
    calls: int
    refused: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A word below the bars: where, in percent of the width, and how it is aligned there."""

    x: float
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many calls were refused for one reason: in words, and by its code."""

    words: str
    code: str
    count: int


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template needs to draw a span of use."""

    title: str
    unit: str
    legend: str
    bars: Sequence[Bar]
    marks: Sequence[Mark]
    tabs: Sequence[Tab]
    reasons: Sequence[Refusals]
    calls: int
    refused: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted in the span."""
        return not (self.calls or self.refused)


def asked_span() -> Span:
    """The span that the address asks for; 30 days when it asks for none that there is."""
    asked = request.args.get("span")
    return Span(asked) if asked in set(Span) else Span.MONTH


def chart(series: Series, endpoint: str, **query: object) -> Chart:
    """Make a chart of a series; the links to other spans lead to ``endpoint`` with ``query``."""
    _tab, title, unit, legend = (_(words) for words in SPANS[series.span])
    return Chart(
        title=title,
        unit=unit,
        legend=legend,
        bars=[Bar(_when(slot.begins, series.span), slot.calls, slot.refused) for slot in series.slots],
        marks=_marks(series),
        tabs=_tabs(series.span, endpoint, query),
        reasons=[Refusals(reason_words(code), code, count) for code, count in series.reasons],
        calls=series.calls,
        refused=series.refused,
    )


def scale_end(peak: int) -> int:
    """Where the scale of a chart ends: a round number from the peak on."""
    power: int = 10 ** max(0, len(str(peak)) - 1)
    return next(step * power for step in STEPS if step * power >= peak)


def compact(number: int) -> str:
    """A number in few letters: ``12K``."""
    if number < 1000:
        return str(number)
    return str(format_compact_decimal(number, locale=get_locale(), fraction_digits=1))


def reason_words(code: str) -> str:
    """Why calls were refused, in words."""
    return _(REFUSALS[code]) if code in REFUSALS else code


def init_app(app: Flask) -> None:
    """Offer what the chart's macros use."""
    for each in (scale_end, compact, columns, ticks):
        app.add_template_filter(each)


def columns(
    counts: Sequence[int],
    step: float,
    width: float,
    tallest: float,
    ground: float,
    *,
    least: float = 2,
    hang: bool = False,
) -> str:
    """Counts as the path of small bars, ``step`` pixels apart, none for a zero.

    They stand on ``ground``, or hang from it; the highest is ``tallest`` pixels, the lowest at least
    ``least``.
    """
    peak = max(counts, default=0)
    bars = (
        (place, max(least, round(count / peak * tallest, 1))) for place, count in enumerate(counts) if count
    )
    return "".join(
        f"M{place * step:g} {ground:g}h{width:g}v{tall if hang else -tall:g}h{-width:g}z"
        for place, tall in bars
    )


def ticks(counts: Sequence[int], step: float, width: float, ground: float) -> str:
    """The path of a line on ``ground`` for each count that is zero."""
    return "".join(
        f"M{place * step:g} {ground:g}h{width:g}v-1h{-width:g}z"
        for place, count in enumerate(counts)
        if not count
    )


def _tabs(current: Span, endpoint: str, query: dict[str, object]) -> list[Tab]:
    return [
        (_(words[0]), None, url_for(endpoint, span=span.value, _anchor="use", **query), span is current)  # type: ignore[arg-type]  # query holds no name that url_for keeps for itself
        for span, words in SPANS.items()
    ]


def _when(moment: datetime, span: Span) -> str:
    """The slots are of UTC, wherever the reader is."""
    return f"{day(moment.date())}, {moment:%H:%M}" if span is Span.DAY else day(moment.date())


def _marks(series: Series) -> list[Mark]:
    """The first and the last slot, and some between."""
    number = SLOTS[series.span][0]
    last = number - 1
    marks = []
    for part in range(MARKS + 1):
        place = round(last * part / MARKS)
        anchor = {0: "start", MARKS: "end"}.get(part, "middle")
        x = {"start": 0.0, "end": 100.0}.get(anchor, round((place + 0.5) / number * 100, 2))
        text = _short(series.slots[place].begins, series.span, whole=anchor != "middle")
        marks.append(Mark(x, anchor, text))
    return marks


def _short(moment: datetime, span: Span, *, whole: bool) -> str:
    """A slot in a few letters; the year stands at both ends only."""
    if span is Span.DAY:
        return f"{moment:%H:%M}"
    skeleton = ("yMMM" if whole else "MMM") if span is Span.YEAR else "MMMd"
    return str(format_skeleton(skeleton, moment, locale=get_locale()))
