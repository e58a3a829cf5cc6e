"""The pages of keys."""

from portal.web.keys.views import blueprint

__all__ = ["blueprint"]
