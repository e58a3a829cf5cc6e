"""The commands about keys."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import click

from portal import clock
from portal.cli.accounts import reason
from portal.cli.console import PlainGroup, plain_errors, row
from portal.cli.whoever import operator
from portal.extensions import settings
from portal.models import ApiKey, RevocationReason, key_states
from portal.services.accounts.lookalikes import shown_email
from portal.services.keys import peppers
from portal.services.operators import actions, exports, lost_pepper

group = PlainGroup("key", help="List and revoke keys.")


@group.command("list")
@click.argument("email", required=False)
@plain_errors
def list_keys(email: str | None) -> None:
    """List keys, of one account or all, one per line, separated by tabs.

    Key, owner's email, name, level, state, created, expires, last used, IP address, calls.
    EMAIL can also be the name or number of the account.
    """
    account = exports.get_account(email) if email else None
    now = clock.utcnow()
    for key in exports.list_keys(operator(), account):
        use = key.usage
        row(
            key.id,
            shown_email(key.account.email or ""),
            key.name,
            key.level,
            _state(key, now),
            key.created_at,
            key.expires_at,
            use.last_used_at if use else None,
            use.last_used_ip_address if use else None,
            use.calls if use else 0,
        )


@group.command("revoke")
@click.argument("key_id", type=click.UUID)
@reason
@plain_errors
def revoke(key_id: UUID, reason: str) -> None:
    """Revoke a key, immediately and permanently."""
    key = actions.revoke_one(operator(), key_id, why=reason)
    row(key.id, key.name, _state(key, clock.utcnow()))


@group.command("revoke-all")
@click.argument("email")
@reason
@plain_errors
def revoke_all(email: str, reason: str) -> None:
    """Revoke all keys of an account permanently, for excessive usage.

    Prints the email and how many there were. EMAIL can also be the name or number.
    """
    account = exports.get_account(email)
    email = shown_email(account.email or "")
    row(email, actions.revoke_excessive(operator(), account.id, why=reason))


@group.command("peppers")
@plain_errors
def list_peppers() -> None:
    """List the peppers: id, state in PORTAL_PEPPERS, and how many live keys need it.

    current: for new keys; kept: still verifies old ones; lacking: not in PORTAL_PEPPERS;
    contradicted: not the value its keys were created with. Remove one that is kept once no key
    needs it.
    """
    for use in peppers.list_uses(settings.peppers.get_secret_value()):
        row(*use)


@group.command("revoke-pepper")
@click.argument("pepper_id")
@reason
@plain_errors
def revoke_pepper(pepper_id: str, reason: str) -> None:
    """Revoke every live key that needs a pepper, for example when the pepper is lost or leaked.

    Prints the pepper and how many keys there were.
    """
    row(pepper_id, lost_pepper.revoke_of_pepper(operator(), pepper_id, why=reason))


def _state(key: ApiKey, now: datetime) -> str:
    word = key_states.word_of(key, now)
    if word == "revoked":
        return f"revoked:{key.revoked_reason or RevocationReason.REPLACED}"
    if word == "expired" and key.is_unused_too_long(now):
        return "expired:unused"
    return word if word in ("pending", "expired") else "live"
