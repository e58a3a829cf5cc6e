"""The forms of signing up, signing in and getting back in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import request, url_for
from flask_babel import lazy_gettext as _l
from wtforms import EmailField, Field, HiddenField, SelectField, StringField

from portal.extensions import settings
from portal.services.accounts.fields import clean_reachable
from portal.services.auth.passwords import check_password
from portal.web import languages
from portal.web.auth.safe_redirect import safe_target
from portal.web.consent.forms import ConsentForm, consent_choice
from portal.web.forms import Form, Given, beside_field, choices, current_password, new_password, text

EMAIL: dict[str, Any] = {"autocomplete": "email", "maxlength": 320, "spellcheck": "false"}


class LanguageForm(Form):
    """A form with a language, where there are two to choose from."""

    language = SelectField(_l("Language"), choices=[], validate_choice=False)

    def __init__(self, *args: Any, kept: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(languages.offered()) > 1:
            self.language.choices = choices(languages.choices_with(kept))
        else:
            del self.language

    @property
    def chosen(self) -> str | None:
        """The language that was chosen; None where there was nothing to choose."""
        return text(self.language) if "language" in self else None


class SignUpForm(LanguageForm):
    """An address and a language; everything else comes after the mail."""

    email = EmailField(_l("Email"), default="", render_kw=EMAIL)


class NewPasswordForm(Form):
    """A password to be set."""

    password = new_password(_l("Password"))
    context: Sequence[str] = ()

    def validate_password(self, field: Field) -> None:
        """Tell what is wrong with the password together with everything else."""
        with beside_field():
            check_password(text(field), second_factor=False, context=[settings.name, *self.context])


class ResetForm(NewPasswordForm):
    """A new password for one that was forgotten."""

    password = new_password(_l("New password"))


class ConfirmForm(NewPasswordForm, ConsentForm):
    """A password, and consent as a decision of its own."""

    password = new_password(_l("Password"))
    consent = consent_choice()


class SetupForm(ConfirmForm):
    """The first admin."""

    email = EmailField(_l("Email"), default="", render_kw={**EMAIL, "autocomplete": "username"})
    password = new_password(_l("Password"))
    consent = consent_choice()

    def validate_email(self, field: Field) -> None:
        """Tell what is wrong with the address together with everything else."""
        with beside_field():
            clean_reachable(text(field))


class SignInForm(Form):
    """Name and password, and where to go then."""

    username = StringField(
        _l("Email or name"),
        validators=[Given("usernameMissing")],
        default="",
        render_kw={
            "autocomplete": "username",
            "autocapitalize": "none",
            "spellcheck": "false",
            "inputmode": "email",
            "maxlength": 320,
        },
    )
    password = current_password(_l("Password"))
    next = HiddenField(default="")

    @property
    def target(self) -> str:
        """Where to go: back to a page of this site, or to the overview."""
        return safe_target(self.next.data or request.args.get("next"), request.script_root) or url_for(
            "overview.index"
        )


class ForgotForm(Form):
    """The address of an account whose password was forgotten."""

    email = EmailField(_l("Email"), default="", render_kw=EMAIL)


class PressForm(Form):
    """A button: links in mails are opened by scanners too, so a GET does nothing."""
