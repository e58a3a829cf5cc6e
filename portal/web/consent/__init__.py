"""The pages of consent."""

from portal.web.consent.views import blueprint

__all__ = ["blueprint"]
