"""All pages of operators, each subject in a module of its own."""

from portal.web.admin import accounts, acts, audit_log, keys, overview, usage
from portal.web.admin.blueprint import blueprint

__all__ = ["accounts", "acts", "audit_log", "blueprint", "keys", "overview", "usage"]
