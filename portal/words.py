"""Words for what the database keeps as a value, for pages and mails."""

from __future__ import annotations

from portal.models import Reason
from portal.permissions import N_

REASONS: dict[str, str] = {
    Reason.OWNER: N_("by you"),
    Reason.REPLACED: N_("replaced"),
    Reason.ROLE_LOWERED: N_("role lowered"),
    Reason.BLOCKED: N_("account blocked"),
    Reason.LOCKED: N_("account locked"),
    Reason.CONSENT_WITHDRAWN: N_("consent withdrawn"),
    Reason.ACCOUNT_REMOVED: N_("account removed"),
    Reason.EXCESSIVE: N_("excessive use"),
    Reason.OPERATOR: N_("by an operator"),
}
"""Why a key was revoked, behind the word 'revoked'."""
