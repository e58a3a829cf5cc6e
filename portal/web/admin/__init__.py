"""The pages of operators."""

from portal.web.admin.views import blueprint

__all__ = ["blueprint"]
