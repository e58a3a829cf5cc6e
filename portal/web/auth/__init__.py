"""The pages of signing up, signing in and getting back in."""

from portal.web.auth import links
from portal.web.auth.views import blueprint

__all__ = ["blueprint", "links"]
