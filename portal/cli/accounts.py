"""The commands about accounts."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from portal.cli.console import PlainGroup, plain_errors, row
from portal.cli.whoever import operator
from portal.models import Account, AccountStatus
from portal.permissions import Role
from portal.services.accounts import signup
from portal.services.accounts.lookalikes import shown_email
from portal.services.operators import actions, exports

UNSAID = "No reason given on the command line."
"""What the audit log keeps when nobody says why."""

STATUSES = {status.word: status for status in AccountStatus}

group = PlainGroup("account", help="Create, list, block and change accounts.")
a_role = click.Choice([role.value for role in Role])


def at_a_terminal() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def _ask_why(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str:
    """The reason. At a terminal it is asked for; a script that gives none is told on in the audit log."""
    if given is None and at_a_terminal():
        given = click.prompt("Reason, for the audit log", default="", show_default=False, err=True)
    return (given or "").strip() or UNSAID


reason = click.option("--reason", callback=_ask_why, help="Why, for the audit log.")


@group.command("create")
@click.argument("email")
@click.option("--role", type=a_role, default=Role.USER.value, show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password as one line from standard input.")
@plain_errors
def create(email: str, role: str, password_stdin: bool) -> None:
    """Create an active account that has given consent. Prompts for the password."""
    password = _password(password_stdin)
    account = signup.create_account(operator(), email, role=Role(role), password=password)
    _tell(account)


@group.command("set-role")
@click.argument("email")
@click.argument("role", type=a_role)
@reason
@plain_errors
def set_role(email: str, role: str, reason: str) -> None:
    """Change the role of an account. A role with a lower level revokes all its keys permanently.

    EMAIL can also be the name or number of the account.
    """
    account = exports.get_account(email)
    _tell(actions.set_role(operator(), account.id, Role(role), why=reason))


def _add_change(name: str, change: Callable[..., Account], told: str, more: str = "") -> None:
    """Add a command that changes one account, with a reason and nothing else."""

    @group.command(name, help=f"{told}\n\n{more}EMAIL can also be the name or number of the account.")
    @click.argument("email")
    @reason
    @plain_errors
    def run(email: str, reason: str) -> None:
        account = exports.get_account(email)
        _tell(change(operator(), account.id, why=reason))


_add_change("block", actions.block, "Block an account: revoke all its keys permanently and end its sessions.")
_add_change("unblock", actions.unblock, "Unblock an account. Its revoked keys stay revoked.")
_add_change(
    "end-sessions",
    actions.end_sessions,
    "End all sessions of an account, JWTs included. Its keys keep working.",
)
_add_change(
    "mail-link",
    actions.mail_way_back,
    "Email the owner a link to confirm the account or to set a new password.",
    "A new password also unlocks an account that its owner has locked. ",
)


@group.command("list")
@click.option("--role", type=a_role, help="Only accounts with this role.")
@click.option("--status", type=click.Choice(list(STATUSES)), help="Only accounts in this state.")
@plain_errors
def list_accounts(role: str | None, status: str | None) -> None:
    """List accounts, one per line, separated by tabs.

    Number, email, name, role, status, live keys, created, last seen.
    """
    found = exports.list_accounts(
        operator(), role=Role(role) if role else None, status=STATUSES[status] if status else None
    )
    for account, keys in found:
        row(*_facts(account), keys, account.created_at, account.last_seen_at)


def _facts(account: Account) -> tuple[object, ...]:
    what = account.role.value, account.status.word
    return account.id, shown_email(account.email or ""), account.username, *what


def _tell(account: Account) -> None:
    row(*_facts(account))


def _password(from_stdin: bool) -> str:
    if from_stdin:
        if sys.stdin is None:
            raise click.UsageError("Standard input is closed. Send the password there, as one line.")
        try:
            return sys.stdin.readline().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise click.ClickException("The password isn't valid UTF-8.") from error
    if not at_a_terminal():
        raise click.UsageError("There is no terminal to type a password. Use --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
