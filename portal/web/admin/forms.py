"""The forms of operators."""

from __future__ import annotations

from typing import Any

from flask import flash, request
from flask_babel import gettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import Field, PasswordField, RadioField, SearchField, SelectField, TextAreaField
from wtforms.widgets import TextInput

from portal.error_messages import sentence
from portal.labels import ROLES, STATUSES
from portal.models import AccountStatus
from portal.permissions import Role
from portal.services.abuse import leaks
from portal.services.operators.actions import REASON_LENGTH
from portal.web.forms import Form, choices
from portal.web.leaks.forms import PLAIN

LONGEST_QUERY = 100
LONGEST_PASTE = 2000


class ReasonForm(Form):
    """Why something is done; the audit log keeps it."""

    reason = TextAreaField(_l("Reason"), render_kw={"rows": 3, "maxlength": REASON_LENGTH})


class RoleForm(ReasonForm):
    """Another role."""

    role = RadioField(_l("Role"), validate_choice=False)

    def __init__(self, current: Role) -> None:
        super().__init__(role=current.value)
        self.role.choices = choices((role.value, gettext(ROLES[role])) for role in Role)

    def chosen(self) -> Role | None:
        """The role that was chosen; None, with an error beside the field, when there is no such role."""
        if self.role.data in set(Role):
            return Role(self.role.data)
        self.role.errors = [sentence("roleInvalid")]
        return None


class FilterForm(Form):
    """What a list is narrowed by; it stands in the address, so it carries no token.

    What makes no sense there is left out, as if it had not been said.
    """

    def __init__(self) -> None:
        super().__init__(formdata=request.args, meta={"csrf": False})
        self._narrow()
        if not self.validate():
            for field in self:
                if field.errors:
                    field.data, field.errors = None, []

    def _narrow(self) -> None:
        """Set the choices."""


def without_secrets(query: str) -> str:
    """What is looked for, from an address; nothing where that holds a secret, and it is said why."""
    if not leaks.search(query):
        return query
    flash(_("That was a secret, and it stood in an address. Paste it into the search for keys."), "warning")
    return ""


class SearchForm(FilterForm):
    """Find accounts."""

    query = SearchField(_l("Name, address, number or key"), render_kw={"maxlength": LONGEST_QUERY})
    role = SelectField(_l("Role"), validate_choice=False)
    status = SelectField(_l("State"), validate_choice=False)

    def _narrow(self) -> None:
        self.query.data = without_secrets((self.query.data or "")[:LONGEST_QUERY])
        roles = ((role.value, gettext(ROLES[role])) for role in Role)
        self.role.choices = choices([("", gettext("Every role")), *roles])
        states = ((status.word, gettext(STATUSES[status])) for status in AccountStatus)
        self.status.choices = choices([("", gettext("Every state")), *states])

    @property
    def chosen_role(self) -> Role | None:
        """The role to narrow to."""
        return Role(self.role.data) if self.role.data in set(Role) else None

    @property
    def chosen_status(self) -> AccountStatus | None:
        """The state to narrow to."""
        return next((status for status in AccountStatus if status.word == self.status.data), None)


class Forgetful(TextInput):
    """A field of text that never shows again what was typed into it."""

    def __call__(self, field: Field, **kwargs: Any) -> Any:
        """Draw it empty."""
        return super().__call__(field, **{**kwargs, "value": ""})


class FindKeyForm(Form):
    """Find any key. It is posted, since a leaked secret may be pasted: no address may hold that."""

    wanted = PasswordField(
        _l("Email, key or leaked secret"),
        widget=Forgetful(),
        default="",
        render_kw={**PLAIN, "maxlength": LONGEST_PASTE},
    )
