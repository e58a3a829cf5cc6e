"""The page for leaked secrets."""

from portal.web.leaks.views import blueprint

__all__ = ["blueprint"]
