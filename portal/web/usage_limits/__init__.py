"""The page of the limits of calls and of what happens above them."""

from portal.web.usage_limits.views import blueprint

__all__ = ["blueprint"]
