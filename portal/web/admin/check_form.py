"""The form that asks whether a key would pass."""

from __future__ import annotations

import re
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField, StringField

from portal import clock
from portal.levels import levels
from portal.permissions import HIGHEST_LEVEL
from portal.services.verify.explanation import Question
from portal.web import zones
from portal.web.admin.forms import FilterForm
from portal.web.forms import choices, text
from portal.web.leaks.forms import PLAIN

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
INTROSPECTS = "introspect"


class CheckForm(FilterForm):
    """Would a key pass? Every field may be empty; it stands in the address, so it can be sent to somebody."""

    address = StringField(_l("From address"), default="", render_kw={**PLAIN, "maxlength": 45})
    level = SelectField(_l("At level"), validate_choice=False)
    method = SelectField(_l("Method"), validate_choice=False)
    open = StringField(
        _l("Methods the gateway opens"),
        default="",
        render_kw={**PLAIN, "placeholder": "GET, HEAD", "maxlength": 60},
    )
    audience = StringField(_l("Audience"), default="", render_kw={**PLAIN, "maxlength": 40})
    at = StringField(_l("Moment"), default="", render_kw={"type": "datetime-local"})

    def _narrow(self) -> None:
        numbers = ((str(level.number), f"{level.number}, {level.sentence}") for level in levels())
        self.level.choices = choices([*numbers, (INTROSPECTS, _("Introspection"))])
        self.method.choices = choices([("", _("Any")), *((each, each) for each in METHODS)])

    def question(self) -> Question:
        """What is asked. What can't be read is left out, but an address: that is none, and so refused."""
        asked, is_one = self.level.data or "0", str(self.level.data) in map(str, range(HIGHEST_LEVEL + 1))
        moment = self.moment()
        return Question(
            ip_address=text(self.address).strip() or None,
            level=int(asked) if is_one else 0,
            introspects=asked == INTROSPECTS,
            is_open=not self.methods[1] or self.methods[0] in self.methods[1].split(", "),
            audience=text(self.audience).strip() or None,
            at_ms=clock.to_ms(moment) if moment else None,
        )

    @property
    def methods(self) -> tuple[str, str]:
        """The method that is asked for, and those that are open, in capitals."""
        asked = self.method.data if self.method.data in METHODS else ""
        return asked, ", ".join(re.findall("[A-Z]+", text(self.open).upper()))

    def moment(self) -> datetime | None:
        """The moment that is asked about, by the reader's clocks; None for now, and for what is none."""
        try:
            told = datetime.fromisoformat(text(self.at))
        except ValueError:
            return None
        return told if told.tzinfo else told.replace(tzinfo=zones.reader_zone())
