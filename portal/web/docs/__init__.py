"""The documentation of the API, as a page."""

from portal.web.docs.views import blueprint

__all__ = ["blueprint"]
