"""What the audit log is narrowed by."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, Field, SelectField, StringField

from portal.labels import ACTIONS
from portal.models import Action
from portal.services.operators.audit_search import Wanted
from portal.web import zones
from portal.web.admin.blueprint import LOOKS
from portal.web.admin.forms import FilterForm
from portal.web.forms import choices, text
from portal.web.leaks.forms import PLAIN

DATE = {"type": "date"}


class AuditLogForm(FilterForm):
    """Narrow the audit log: every field may be empty, and all stand in the address."""

    action = SelectField(_l("What"), validate_choice=False)
    since = StringField(_l("From day"), default="", render_kw=DATE)
    until = StringField(_l("To day"), default="", render_kw=DATE)
    account = StringField(_l("Account: email or number"), default="", render_kw={**PLAIN, "maxlength": 254})
    actor = StringField(_l("By: email or number"), default="", render_kw={**PLAIN, "maxlength": 254})
    key = StringField(_l("Key id"), default="", render_kw={**PLAIN, "maxlength": 36})
    request = StringField(_l("Request id"), default="", render_kw={**PLAIN, "maxlength": 36})
    quiet = BooleanField(_l("Hide what operators only looked at"))

    def _narrow(self) -> None:
        acts = sorted((_(words), action.value) for action, words in ACTIONS.items())
        self.action.choices = choices([("", _("Every act")), *((each[1], each[0]) for each in acts)])

    @property
    def wanted(self) -> Wanted:
        """What is looked for; what can't be read is left out."""
        since, until = _day(self.since), _day(self.until)
        zone = zones.reader_zone()
        return Wanted(
            action=Action(self.action.data) if self.action.data in set(Action) else None,
            since=zones.first_moment(since, zone) if since else None,
            until=zones.first_moment(until + timedelta(days=1), zone) if until else None,
            account=text(self.account).strip(),
            actor=text(self.actor).strip(),
            key_id=_id(self.key),
            request_id=text(self.request).strip(),
            without=LOOKS if self.quiet.data else (),
        )

    @property
    def query(self) -> dict[str, str]:
        """The filters, as an address has them."""
        fields = {field.name: text(field).strip() for field in self if field.name != "quiet"}
        return {name: value for name, value in fields.items() if value} | (
            {"quiet": "y"} if self.quiet.data else {}
        )

    @property
    def is_detailed(self) -> bool:
        """Whether a filter is used that stands behind the disclosure."""
        return any(text(field) for field in (self.since, self.until, self.key, self.request, self.actor))


def _day(field: Field) -> date | None:
    """The day that was typed, of the years that every zone has."""
    try:
        found = datetime.strptime(text(field), "%Y-%m-%d").date()  # noqa: DTZ007  # a day has no zone yet
    except ValueError:
        return None
    return found if 1970 <= found.year < 9999 else None  # years


def _id(field: Field) -> UUID | None:
    try:
        return UUID(text(field).strip())
    except ValueError:
        return None
