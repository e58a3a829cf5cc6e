"""What the forms of accounts share: what a rule says stands beside its field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

from flask import flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm
from wtforms import (  # type: ignore[attr-defined]  # the stubs lack SelectChoice
    Field,
    PasswordField,
    SelectChoice,
)
from wtforms.validators import ValidationError

from portal.error_messages import sentence
from portal.permissions import N_
from portal.services.auth.passwords import SHORTEST
from portal.services.core.errors import InvalidInput, RuleError
from portal.web import stale

BOTH = ("GET", "POST")

ON_PAGES: dict[str, str] = {
    "consentRequired": N_("An account needs your consent. Choose one of the two."),
    "insufficientAccessLevel": N_("Your role doesn't allow this. If you need it, ask an admin."),
}
"""Where a page knows more than the wire, or the wire speaks of what a page does not show."""


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form that knows where to write what the rules refuse, and what was typed before it was too old."""

    sentences: ClassVar = ON_PAGES
    """How it says what the rules refuse, where it does not say it as the wire does."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]  # Flask-WTF has no types
        """Where a form takes what it is filled with from."""

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """What was sent, or typed into a form that is asked again."""
            return super().wrap_formdata(form, formdata) or stale.typed_into(form) or None

    @contextmanager
    def refusals(self, *kinds: type[RuleError]) -> Iterator[None]:
        """Write InvalidInput beside its field, and errors of ``kinds`` above the form."""
        try:
            yield
        except InvalidInput as error:
            self.refuse(error)
        except kinds as error:
            self.form_errors.append(on_page(error, self.sentences))

    def refuse(self, error: InvalidInput) -> None:
        """Write what a rule says beside its field, or above the form."""
        said = on_page(error, self.sentences)
        if error.field in self:
            self[error.field].errors = [*self[error.field].errors, said]
        else:
            self.form_errors.append(said)


def on_page(error: RuleError, sentences: Mapping[str, str] = ON_PAGES) -> str:
    """The sentence of a rule, as a page says it."""
    own = sentences.get(error.code)
    return str(gettext(own)) if own else sentence(error.code, error.details)


@contextmanager
def beside_field() -> Iterator[None]:
    """Tell what a rule refuses while the form is validated, together with everything else."""
    try:
        yield
    except InvalidInput as error:
        raise ValidationError(on_page(error)) from error


def shown(template: str, form: Form, **values: Any) -> ResponseReturnValue:
    """The page of a form; 422 when something in the form has to be corrected."""
    return render_template(template, form=form, **values), 422 if form.errors else 200


def done(said: str, endpoint: str, **values: Any) -> ResponseReturnValue:
    """Say what was done, and lead on with 303, so that a reload does nothing twice."""
    flash(said, "success")
    return redirect(url_for(endpoint, **values), 303)


def flash_once(said: str, category: str) -> None:
    """Say it on the next page, unless it waits there already: what is sent twice is told once."""
    if (category, said) not in [tuple(each) for each in session.get("_flashes", ())]:
        flash(said, category)


def text(field: Field) -> str:
    """What was typed into a field; nothing is an empty text."""
    return str(field.data or "")


def choices(pairs: Iterable[tuple[str, Any]]) -> Any:
    """The choices of a field, from values and labels."""
    return [SelectChoice(value, label) for value, label in pairs]


class Given:
    """A validator: something has to be given, or else the sentence of ``code`` says what."""

    field_flags = {"required": True}  # noqa: RUF012  # the name and kind that WTForms looks for

    def __init__(self, code: str) -> None:
        self.code = code

    def __call__(self, _form: object, field: Field) -> None:
        """Raise ValidationError when nothing was given."""
        if not field.data:
            raise ValidationError(sentence(self.code))


def new_password(label: Any) -> PasswordField:
    """A field for a password to be set: whole, pasted or made by a password manager."""
    return PasswordField(label, default="", render_kw={"autocomplete": "new-password", "minlength": SHORTEST})


def current_password(label: Any) -> PasswordField:
    """A field for the password that is."""
    return PasswordField(
        label,
        validators=[Given("passwordMissing")],
        default="",
        render_kw={"autocomplete": "current-password"},
    )
