"""The decision about consent."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import RadioField

from portal.models import Consent
from portal.services.accounts.consent import clean_consent
from portal.web.forms import Form, beside_field, choices

CHOICES = (
    (str(Consent.PROCESSING.value), _l("Only what an account needs")),
    (str(Consent.OPEN_DATA.value), _l("Open data as well")),
)


def consent_choice() -> RadioField:
    """A decision of its own; nothing is chosen beforehand."""
    return RadioField(_l("Your consent"), choices=choices(CHOICES), validate_choice=False)


class ConsentForm(Form):
    """The decision alone."""

    consent = consent_choice()

    @property
    def given(self) -> Consent:
        """What was chosen; none for nothing, or for what is not on the list."""
        chosen = self.consent.data
        return Consent(int(chosen)) if chosen in dict(CHOICES) else Consent.NONE

    def validate_consent(self, _field: RadioField) -> None:
        """Ask for a choice together with everything else that needs another look."""
        with beside_field():
            clean_consent(self.given)
