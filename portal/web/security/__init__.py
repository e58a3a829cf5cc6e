"""The pages of password, sessions, lock and removal."""

from portal.web.security.views import blueprint

__all__ = ["blueprint"]
