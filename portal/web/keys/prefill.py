"""A form of a new key that a link fills in: ``/account/keys/new?name=CI&level=2&expires=90``.

The documentation of an API links to it. A link creates nothing and chooses nothing that its reader could
not: what isn't possible is left out, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta

from flask_babel import gettext

from portal import clock
from portal.models.key import NAME_LENGTH
from portal.services.core import free_text
from portal.services.core.errors import InvalidInput
from portal.web.keys.forms import OWN_DATE, NewKeyForm
from portal.web.zones import local

MOST_DIGITS = 4


def prefill(form: NewKeyForm, asked: Mapping[str, str]) -> None:
    """Fill in what an address asks for; ``form.notices`` gets a sentence for each part that can't be."""
    form.notices = list(_filled(form, {name: value.strip() for name, value in asked.items()}))


def _filled(form: NewKeyForm, asked: Mapping[str, str]) -> Iterator[str]:
    if (name := asked.get("name")) and not _fill_name(form, name):
        yield gettext("The name is too long, or has characters that can't be kept. Enter one.")
    if (level := asked.get("level")) and not _fill_level(form, level):
        yield gettext("You can't grant the level it wants. Choose one of these.")
    if (expires := asked.get("expires")) and not _fill_expiry(form, expires):
        longest = form.longest.days
        yield gettext("It can't end when the link says. Your keys live 1 to %(days)s days.", days=longest)


def _fill_name(form: NewKeyForm, name: str) -> bool:
    with suppress(InvalidInput):
        free_text.check(name, "nameNotPrintable", "name")
        if len(name) <= NAME_LENGTH:
            form.name.data = name
            return True
    return False


def _fill_level(form: NewKeyForm, level: str) -> bool:
    number = _number(level)
    if number not in {choice[0] for choice in form.level.choices or ()}:
        return False
    form.level.data = number
    return True


def _fill_expiry(form: NewKeyForm, expires: str) -> bool:
    """A number of days, or the last day as ``2026-12-31``."""
    if expires in map(str, form.presets):
        form.expires.data = expires
        return True
    day = _day(expires)
    if day is None or not form.first_day <= day <= form.last_day.date():
        return False
    form.expires.data, form.expires_on.data = OWN_DATE, day
    return True


def _day(expires: str) -> date | None:
    if (days := _number(expires)) is not None:
        return local(clock.utcnow() + timedelta(days=days)).date()
    with suppress(ValueError):
        return date.fromisoformat(expires)
    return None


def _number(typed: str) -> int | None:
    is_number = typed.isascii() and typed.isdecimal() and len(typed) <= MOST_DIGITS
    return int(typed) if is_number else None
