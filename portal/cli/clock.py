"""The commands about the last moment that the installation has seen."""

from __future__ import annotations

from portal import clock
from portal.cli.accounts import reason
from portal.cli.console import PlainGroup, plain_errors, row
from portal.cli.whoever import operator
from portal.services.usage import moments

group = PlainGroup("clock", help="Show or reset the latest time the portal has seen.")


@group.command("show")
@plain_errors
def show() -> None:
    """Show the latest time that the portal has seen, and how many seconds this machine's clock is behind."""
    kept = moments.last_kept()
    row(clock.iso(clock.from_ms(kept)) if kept else None, "behind", clock.behind_ms() // 1000)


@group.command("put-back")
@reason
@plain_errors
def put_back(reason: str) -> None:
    """Trust this machine's clock again after it ran ahead. Stop the portal on all machines first.

    Keys and links that expired in the meantime work again.
    """
    moments.put_back(operator(), why=reason)
