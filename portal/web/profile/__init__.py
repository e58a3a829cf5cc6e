"""The pages of the profile."""

from portal.web.profile.views import blueprint

__all__ = ["blueprint"]
