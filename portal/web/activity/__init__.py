"""The page of an account's record."""

from portal.web.activity.views import blueprint

__all__ = ["blueprint"]
