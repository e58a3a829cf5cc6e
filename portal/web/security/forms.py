"""The forms of the security pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField

from portal.web.forms import Form, current_password, new_password


class ProofForm(Form):
    """The password once more, before something that matters."""

    current_password = current_password(_l("Your password"))


class ChangePasswordForm(Form):
    """Another password."""

    current_password = current_password(_l("Current password"))
    password = new_password(_l("New password"))
    end_others = BooleanField(_l("Sign out all other devices"), default=True)
