"""The forms of keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import NamedTuple

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, DateField, Field, RadioField, StringField
from wtforms.validators import Optional

from portal import clock
from portal.error_messages import sentence
from portal.levels import levels
from portal.models import ApiKey, KeyKind
from portal.models.key import NAME_LENGTH
from portal.permissions import ADMINISTER, LONGEST_LIFE, Role
from portal.services.keys import quotas, rotation
from portal.services.keys.issuing import NO_ACCESS
from portal.web.forms import Form, Given, choices
from portal.web.keys.conditions import NAMES, ConditionFields
from portal.web.stale import is_asked_again
from portal.web.zones import last_second, local, reader_zone

DAYS = (7, 30, 90, 365)
USUAL_DAYS = "30"
OWN_DATE = "date"
ORDER = ("name", "environment", "kind", "level", "expires", "expires_on", *NAMES)
"""The fields as they stand on the page."""
KINDS = [
    (KeyKind.ACCOUNT.value, _l("For access in your name, at a level")),
    (KeyKind.SERVICE.value, _l("For a service that introspects keys; it opens nothing else")),
]
PROPOSED = 24 * 60 * 60
"""Seconds of overlap for a key that was used in the last day."""
OVERLAPS = {int(overlap.total_seconds()): overlap for overlap in rotation.OVERLAPS}


class NewKeyForm(ConditionFields):
    """Name, level, end and conditions of a new key."""

    name = StringField(
        _l("Name"),
        validators=[Given("nameMissing")],
        render_kw={"maxlength": NAME_LENGTH, "autocomplete": "off"},
    )
    kind = RadioField(_l("What is it for?"), default=KeyKind.ACCOUNT.value, validate_choice=False)
    level = RadioField(_l("What may it do?"), coerce=int, validate_choice=False)
    expires = RadioField(_l("Until when?"), default=USUAL_DAYS, validate_choice=False)
    expires_on = DateField(_l("Own date"), validators=[Optional()])

    def __init__(self, role: Role) -> None:
        super().__init__()
        self.notices: list[str] = []
        self.level.choices = [(level.number, level.sentence) for level in levels(role.level)]
        self.kind.choices = choices(KINDS)
        self.offers_kinds = role.level >= ADMINISTER
        self.longest = quotas.longest_life(role)
        self.presets = _presets(self.longest)
        days = ((str(days), _days(days)) for days in self.presets)
        self.expires.choices = [*days, (OWN_DATE, gettext("Own date"))]
        if self.expires.data == USUAL_DAYS and self.longest.days < int(USUAL_DAYS):
            self.expires.data = str(self.longest.days)

    def __iter__(self) -> Iterator[Field]:
        """The fields in the order of the page, and what is hidden first."""
        fields = {field.short_name: field for field in super().__iter__()}
        yield from (field for name, field in fields.items() if name not in ORDER)
        yield from (fields[name] for name in ORDER if name in fields)

    @property
    def dates(self) -> dict[str, datetime]:
        """The day on which each of the offered lengths of life ends."""
        now = clock.utcnow()
        return {str(days): now + timedelta(days=days) for days in self.presets}

    @property
    def first_day(self) -> date:
        """The first day that may be chosen: tomorrow, by the reader's clock."""
        return local(clock.utcnow()).date() + timedelta(days=1)

    @property
    def last_day(self) -> datetime:
        """The last possible end, by the reader's clock."""
        return local(clock.utcnow() + self.longest)

    @property
    def chosen_kind(self) -> KeyKind:
        """What the key is for; only admins are asked."""
        is_service = self.offers_kinds and self.kind.data == KeyKind.SERVICE
        return KeyKind.SERVICE if is_service else KeyKind.ACCOUNT

    @property
    def chosen_level(self) -> int | None:
        """The level; a service key has none of its own, whatever was chosen."""
        level: int | None = self.level.data
        return NO_ACCESS if self.chosen_kind is KeyKind.SERVICE else level

    def life(self) -> timedelta | datetime | None:
        """How long the key shall live, or until when; None, with an error beside its field, if unclear."""
        if self.expires.data in map(str, self.presets):
            return timedelta(days=int(self.expires.data))
        if self.expires.data != OWN_DATE:
            self.expires.errors = [sentence("expiresInMissing")]
            return None
        if not isinstance(self.expires_on.data, date):
            self.expires_on.errors = [sentence("dateMissing")]
            return None
        return self._end_of(self.expires_on.data)

    def _end_of(self, day: date) -> timedelta | datetime | None:
        """The last second of a day of the reader; on the last possible day, as long as a key can live."""
        now = clock.utcnow()
        if day <= local(now).date():
            self.expires_on.errors = [sentence("dateInvalid")]
            return None
        if day > local(now + self.longest).date():
            days = {"days": self.longest.days}
            self.expires_on.errors = [sentence("expiresInHigherThanMaximum", days)]
            return None
        end = last_second(day, reader_zone())
        return end if end - now < self.longest else self.longest


class Overlap(NamedTuple):
    """What becomes of the old secret: for whom that is right, and when it ends; None means at once."""

    hint: str
    until: datetime | None


class RotateForm(Form):
    """How long the old key shall work beside its successor."""

    overlap = RadioField(
        _l("How long should the old secret keep working?"), coerce=int, default=0, choices=[]
    )
    ends: dict[int, Overlap]

    def chosen(self) -> timedelta:
        """The overlap that was chosen; what isn't offered is left to the rules to refuse."""
        seconds: int = self.overlap.data
        return timedelta(seconds=-1 if self.overlap.process_errors or seconds not in OVERLAPS else seconds)

    def tell(self, key: ApiKey, *, is_in_use: bool) -> None:
        """Say of each overlap until when the old secret works; propose one where a script would stop.

        Of the overlaps that the key's own end cuts short only the first is offered.
        """
        labels, self.ends, now = [], {}, clock.utcnow()
        for seconds, overlap in OVERLAPS.items():
            end = rotation.retirement(key, overlap, now)
            is_cut = bool(overlap) and end == key.expires_at
            label, hint = _overlap_in_words(seconds, is_cut=is_cut)
            labels.append((seconds, label))
            self.ends[seconds] = Overlap(hint, end if overlap else None)
            if is_cut:
                break
        self.overlap.choices = labels
        if is_in_use and not (self.is_submitted() or is_asked_again()):
            self.overlap.data = min(PROPOSED, max(self.ends))


class RevokeForm(Form):
    """Whether what a key created ends with it; of one that has ended, nothing else is left to end."""

    everything = BooleanField(_l("Revoke these as well"))


def _presets(longest: timedelta) -> list[int]:
    """The days that are offered: none beyond the longest life, which is offered itself."""
    return [*(days for days in DAYS if days < longest.days), longest.days]


def _overlap_in_words(seconds: int, *, is_cut: bool) -> tuple[str, str]:
    """The name of an overlap, and for whom it is right."""
    if is_cut:
        return gettext("Until it expires"), gettext("The longest that this key allows")
    words = {
        0: (gettext("Not at all"), gettext("For a secret that may have leaked, or that nobody uses")),
        3600: (gettext("1 hour"), gettext("When you replace it right away")),
        PROPOSED: (gettext("1 day"), gettext("Enough for the next deployment")),
    }
    return words.get(seconds) or (gettext("7 days"), gettext("When others have to replace it, too"))


def _days(days: int) -> str:
    year = days == LONGEST_LIFE.days
    return str(gettext("1 year") if year else ngettext("%(num)d day", "%(num)d days", days))
