"""The command about the audit log."""

from __future__ import annotations

import json

import click

from portal.cli.console import PlainGroup, plain_errors, row
from portal.cli.whoever import operator
from portal.models import Action
from portal.services.core import free_text
from portal.services.operators import exports

group = PlainGroup("record", help="Read the audit log.")


@group.command("list")
@click.argument("email", required=False)
@click.option("--action", type=click.Choice([action.value for action in Action]), help="Only this action.")
@plain_errors
def list_audit_log(email: str | None, action: str | None) -> None:
    """List the audit log, of one account or all, oldest first, one entry per line, separated by tabs.

    Number, time, action, kind of actor, its account, its key, account acted on, key acted on,
    IP address, reason, details as JSON. EMAIL can also be the name or number of the account.
    """
    account = exports.get_account(email) if email else None
    for act in exports.list_audit_log(operator(), account, Action(action) if action else None):
        row(
            act.id,
            act.at,
            act.action.value,
            act.actor_kind.value,
            act.actor_account_id,
            act.actor_key_id,
            act.account_id,
            act.key_id,
            act.ip_address,
            act.reason and " ".join(act.reason.split()),
            free_text.escaped_json(json.dumps(act.details, ensure_ascii=False, sort_keys=True)),
        )
