"""The pages of signing up, signing in and getting back in."""

from portal.web.auth.views import blueprint

__all__ = ["blueprint"]
