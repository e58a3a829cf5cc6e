"""What owners say of themselves."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import EmailField, StringField, TextAreaField

from portal.web.auth.forms import EMAIL, LanguageForm
from portal.web.security.forms import ProofForm


class ProfileForm(LanguageForm):
    """Name, language and a few words."""

    username = StringField(
        _l("Name"),
        default="",
        render_kw={
            "autocomplete": "nickname",
            "autocapitalize": "none",
            "spellcheck": "false",
            "maxlength": 200,
        },
    )
    bio = TextAreaField(_l("About you"), default="", render_kw={"rows": 5, "autocomplete": "off"})


class EmailForm(ProofForm):
    """A new address, and the password to show who asks."""

    email = EmailField(_l("New email"), default="", render_kw=EMAIL)
