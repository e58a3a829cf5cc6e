"""Times in words, and what every template may use besides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import Flask, g, url_for
from flask_babel import format_date, format_decimal, format_timedelta, get_locale, ngettext
from flask_babel import gettext as _
from jinja2 import StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from portal import clock
from portal.models import AccountStatus, Consent
from portal.services.accounts.lookalikes import shown_email
from portal.services.core import free_text
from portal.web import zones
from portal.web.zones import local

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LAST_DAYS = 60
"""Up to here days are counted, not weeks: an end "in 29 days" is what people plan with."""

_THRESHOLD = 2
"""A larger unit is used from two of it on: 36 hours, 2 days; it says more than "1 day"."""


def ago(moment: datetime) -> str:
    """How long ago, or in how long: ``3 hours ago``, ``in 12 days``."""
    delta = moment - clock.utcnow()
    if abs(delta.total_seconds()) < MINUTE:
        return str(_("in a moment") if delta.total_seconds() > 0 else _("just now"))
    return _about(delta, direction=True)


def left(moment: datetime) -> str:
    """How long until then, as :func:`ago` counts: ``12 days``."""
    return _about(moment - clock.utcnow(), direction=False)


def _about(delta: timedelta, *, direction: bool) -> str:
    days = abs(delta.total_seconds()) / DAY
    threshold = days / 7 + 1 if _THRESHOLD <= days < LAST_DAYS else _THRESHOLD
    return str(format_timedelta(delta, granularity="minute", threshold=threshold, add_direction=direction))


def day(moment: date) -> str:
    """The day in the reader's zone, in words: ``24 Nov 2026``, as the reader's language has it."""
    if isinstance(moment, datetime):
        moment = local(moment).date()
    return str(format_date(moment, "medium", rebase=False))


def at(moment: datetime) -> str:
    """Day and minute in the reader's zone, which the foot of the page names: ``24 Nov 2026, 21:30``."""
    return f"{day(moment)}, {local(moment):%H:%M}"


def second(moment: datetime) -> str:
    """The second in the reader's zone, for what happens now: ``21:30:05``."""
    return f"{local(moment):%H:%M:%S}"


def exact(moment: datetime) -> str:
    """Day and second in the reader's zone, with UTC beside it: ``24 Nov 2026, 21:30:05 (20:30:05 UTC)``."""
    here, there = local(moment), moment.astimezone(UTC)
    if here.tzinfo is UTC:
        return f"{day(moment)}, {there:%H:%M:%S} UTC"
    also = "" if here.date() == there.date() else f"{day(there.date())}, "
    return f"{day(moment)}, {here:%H:%M:%S} ({also}{there:%H:%M:%S} UTC)"


def length(span: timedelta) -> str:
    """A length of time as exactly as it was set: ``30 days``, ``24 hours``, ``90 minutes``."""
    seconds = int(span.total_seconds())
    if seconds % DAY == 0 and seconds > DAY:
        return str(ngettext("%(num)d day", "%(num)d days", seconds // DAY))
    if seconds % HOUR == 0:
        return str(ngettext("%(num)d hour", "%(num)d hours", seconds // HOUR))
    if seconds % MINUTE == 0:
        return str(ngettext("%(num)d minute", "%(num)d minutes", seconds // MINUTE))
    return str(ngettext("%(num)d second", "%(num)d seconds", seconds))


def asset(path: str) -> str:
    """The address of a static file, with its version; built once for a page, which has many icons."""
    known: dict[str, str] = g.setdefault("assets", {})
    if path not in known:
        known[path] = url_for("static", filename=path)
    return known[path]


def icon(name: str, label: str | None = None) -> Markup:
    """An icon of the sprite; one with a label is a picture to who can't see it, others are hidden."""
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" width="20" height="20" {}><use href="{}#{}"></use></svg>').format(
        told, asset("icons.svg"), name
    )


def typed(text: object) -> Markup:
    """What a person typed, so that its direction stays its own; empty where there is nothing."""
    return Markup("<bdi>{}</bdi>").format(text) if text else Markup("")


def shown(value: object) -> object:
    """What a page writes: text without characters that act, whatever old rows hold."""
    if not isinstance(value, str) or value.replace("\n", "").isprintable():
        return value
    return type(value)(free_text.escaped(value, lines=True))


def _is_english() -> bool:
    locale = get_locale()
    return locale is None or locale.language == "en"


def _gettext(sentence: str) -> str:
    return sentence if _is_english() else str(_(sentence))


def _ngettext(singular: str, plural: str, number: int) -> str:
    if _is_english():
        return singular if number == 1 else plural
    return str(ngettext(singular, plural, number))


def _translate(app: Flask) -> None:
    """Let templates write English as it stands: it has no catalogue, and a page has hundreds of sentences."""
    app.jinja_env.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]  # of the extension i18n
    names: dict[str, Any] = app.jinja_env.globals
    names["_"] = names["gettext"]
    names["ngettext"] = grouping(names["ngettext"])


def grouping(translate: Callable[..., str]) -> Callable[..., str]:
    """Let ``ngettext`` in templates write its number as the language does: ``2,073 calls``."""

    @pass_context
    def grouped(context: Context, singular: str, plural: str, num: int, **values: object) -> str:
        return translate(context, singular, plural, num, **{"num": format_decimal(num), **values})

    return grouped


def init_app(app: Flask) -> None:
    """Offer the filters and globals to the templates of an application."""
    for each in (ago, day, at, exact, typed):
        app.add_template_filter(each)
    app.add_template_filter(shown_email, "email")
    zones.init_app(app)
    app.jinja_env.finalize = shown
    _translate(app)
    app.jinja_env.undefined = StrictUndefined
    app.add_template_global(asset)
    app.jinja_env.globals.update(AccountStatus=AccountStatus, Consent=Consent, icon_of=icon)
    app.context_processor(_language)


def _language() -> dict[str, str]:
    """The language of the page, and the side that its lines begin at."""
    locale = get_locale()
    if locale is None:
        return {"lang": "en", "dir": "ltr"}
    return {"lang": str(locale).replace("_", "-"), "dir": locale.text_direction}
