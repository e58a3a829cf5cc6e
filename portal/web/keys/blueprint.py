"""Where the pages of keys are, and for whom."""

from __future__ import annotations

from flask import Blueprint

from portal.web.identity import require

blueprint = Blueprint("keys", __name__, url_prefix="/account/keys")
require(blueprint)
