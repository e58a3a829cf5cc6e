"""The pages of keys."""

from portal.web.keys import creating, ending, listing, views
from portal.web.keys.blueprint import blueprint

__all__ = ["blueprint", "creating", "ending", "listing", "views"]
