"""The conditions of a key: their fields on the form, and their words on the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from flask_babel import format_number, gettext
from flask_babel import lazy_gettext as _l
from wtforms import DateField, RadioField, StringField, TextAreaField
from wtforms.validators import Optional

from portal.models import ApiKey, Environment, KeyKind
from portal.models.key import NOTE_LENGTH
from portal.permissions import N_
from portal.services.core.errors import InvalidInput
from portal.services.keys.audiences import parse_audiences
from portal.services.keys.conditions import Conditions, clean_note
from portal.services.keys.networks import OUT, parse_networks
from portal.web.filters import exact, length
from portal.web.forms import ON_PAGES, Form, choices, text
from portal.web.zones import first_moment, reader_zone

DAY = 24 * 60 * 60
MOST_DIGITS = 9
RESTRICTIONS = ("networks", "not_before", "max_idle", "calls_per_minute", "calls_per_day", "audiences")
NAMES = (*RESTRICTIONS, "note")
ON_FORM: dict[str, str] = {
    "maxIdleInvalid": N_("This number isn't valid. Enter whole days from 1 to 365, or none."),
    "notBeforeInvalid": N_("This day isn't valid. Choose one before the key expires, or none."),
    "environmentInvalid": N_("There is no such environment. Choose one of those that are offered."),
}
"""Where the form asks for days and the wire for seconds and moments."""

ENVIRONMENTS: list[tuple[str, Any]] = [
    ("", _l("No label")),
    (Environment.LIVE.value, _l("Live")),
    (Environment.TEST.value, _l("Test")),
]
NUMBER = {"inputmode": "numeric", "autocomplete": "off", "maxlength": MOST_DIGITS}


class ConditionFields(Form):
    """The fields of a form that makes a key; all may be left empty."""

    sentences = ON_PAGES | ON_FORM

    networks = TextAreaField(
        _l("Allowed addresses"), render_kw={"rows": 1, "autocomplete": "off", "spellcheck": "false"}
    )
    audiences = StringField(
        _l("Audiences"), render_kw={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    )
    not_before = DateField(_l("Valid from"), validators=[Optional()])
    max_idle = StringField(_l("End if unused for (days)"), render_kw=NUMBER)
    environment = RadioField(
        _l("Environment"), choices=choices(ENVIRONMENTS), default="", validate_choice=False
    )
    calls_per_minute = StringField(_l("Calls a minute"), render_kw=NUMBER)
    calls_per_day = StringField(_l("Calls a day"), render_kw=NUMBER)
    note = TextAreaField(_l("Private note"), render_kw={"rows": 3, "maxlength": NOTE_LENGTH})

    @property
    def set_restrictions(self) -> int:
        """How many restrictions were typed."""
        return sum(bool(getattr(self, name).data) for name in RESTRICTIONS)

    @property
    def shows_restrictions(self) -> bool:
        """Whether a restriction was typed, or has to be corrected, so that it must be seen."""
        return any(getattr(self, name).data or getattr(self, name).errors for name in RESTRICTIONS)

    @property
    def shows_note(self) -> bool:
        """The same of the note."""
        return bool(self.note.data or self.note.errors)

    def add_network(self, address: str) -> None:
        """Allow one more address, unless it is there already."""
        typed = text(self.networks).split()
        self.networks.data = " ".join(typed if address in typed else [*typed, address])

    def read_conditions(self) -> Conditions | None:
        """What was typed; None, with an error beside its field, when that can't be."""
        days, day = _number(self.max_idle), self.not_before.data
        try:
            return Conditions(
                networks=parse_networks(text(self.networks).replace(",", " ").split()),
                audiences=parse_audiences(text(self.audiences).replace(",", " ").split()),
                not_before=None if day is None else first_moment(day, reader_zone()),
                max_idle=None if days is None else days * DAY,
                environment=_environment(self.environment.data),
                note=clean_note(text(self.note)),
                calls_per_minute=_number(self.calls_per_minute),
                calls_per_day=_number(self.calls_per_day),
            )
        except InvalidInput as error:
            self.refuse(error)
            return None


def in_words(key: ApiKey) -> Iterator[tuple[str, list[str]]]:
    """The conditions of a key, each with its lines; the note is not among them."""
    networks = key.networks.split()
    inside = [word for word in networks if not word.startswith(OUT)]
    if inside:
        yield gettext("Only from"), inside
    if len(inside) < len(networks):
        yield gettext("Not from"), [word.removeprefix(OUT) for word in networks if word.startswith(OUT)]
    if key.audiences:
        is_service = key.kind is KeyKind.SERVICE
        yield gettext("Asks as") if is_service else gettext("Only for"), key.audiences.split()
    if key.not_before is not None:
        yield gettext("Valid from"), [exact(key.not_before)]
    if key.max_idle is not None:
        yield gettext("Ends unused after"), [length(timedelta(seconds=key.max_idle))]
    calls = {gettext("Calls a minute"): key.calls_per_minute, gettext("Calls a day"): key.calls_per_day}
    for label, most in calls.items():
        if most is not None:
            yield label, [gettext("%(number)s at most", number=format_number(most))]


def _environment(word: str | None) -> Environment | None:
    if not word:
        return None
    if word not in set(Environment):
        raise InvalidInput("environmentInvalid", "environment")
    return Environment(word)


def _number(field: StringField) -> int | None:
    """What was typed as a number; what is none is asked for as 0, which the rules refuse."""
    typed = text(field).strip()
    if not typed:
        return None
    is_number = typed.isascii() and typed.isdecimal() and len(typed) <= MOST_DIGITS
    return int(typed) if is_number else 0
