"""The blueprint of the operators' pages, and what several of them share."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import gettext as _

from portal.labels import ROLES
from portal.models import Account, Action
from portal.permissions import SUPPORT, Role
from portal.services.accounts import admins
from portal.services.accounts.lookalikes import shown_email
from portal.web.identity import me, require

LOOKS = (
    Action.ACCOUNT_READ,
    Action.ACCOUNTS_SEARCHED,
    Action.KEY_READ,
    Action.KEYS_SEARCHED,
    Action.AUDIT_LOG_READ,
    Action.USAGE_READ,
)
"""What operators look at: left out where it would hide what was done."""

ACCOUNT = "/accounts/<int(max=9223372036854775807):account_id>"

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
require(blueprint, level=SUPPORT)


@blueprint.app_template_filter("role")
def role_in_words(role: str) -> str:
    """A role, in words."""
    return str(_(ROLES[Role(role)]))


@blueprint.app_template_filter("whose")
def whose(account: Account) -> str:
    """What operators call an account: its email; of one that was removed, the name that is left."""
    return shown_email(account.email) if account.email else account.username


def may(account: Account, level: int) -> bool:
    """Whether who is signed in may do to the account what asks for ``level``."""
    is_there = account.removed_at is None
    return is_there and admins.may_act_on(me().role, account, actor_id=me().id, level=level)
