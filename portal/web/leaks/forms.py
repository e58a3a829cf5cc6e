"""The form for leaked secrets. What is typed into it is never given back."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import StringField, TextAreaField

from portal.services.abuse.leaks import LONGEST_PLACE
from portal.web.forms import Form, Given

PLAIN = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
"""A spelling checker may send what it checks to another machine."""


class LeakForm(Form):
    """Any text that holds secrets, and where it was found."""

    text = TextAreaField(
        _l("The secret, or the text around it"),
        validators=[Given("textMissing")],
        default="",
        render_kw={**PLAIN, "rows": 6},
    )
    found_at = StringField(
        _l("Where did you find it?"), default="", render_kw={**PLAIN, "maxlength": LONGEST_PLACE}
    )

    def forget(self) -> None:
        """Empty the fields, so that no page shows again what was typed into them."""
        self.text.data = self.found_at.data = ""
