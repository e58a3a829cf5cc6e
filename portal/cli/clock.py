"""The commands about the last moment that the installation has seen."""

from __future__ import annotations

from portal import clock
from portal.cli.accounts import reason
from portal.cli.console import PlainGroup, plain_errors, row
from portal.cli.whoever import operator
from portal.services.usage import moments

group = PlainGroup("clock", help="Show and put back the last moment seen.")


@group.command("show")
@plain_errors
def show() -> None:
    """Show the last moment that was kept, and by how many seconds this machine's clock is behind it."""
    kept = moments.last_kept()
    row(clock.iso(clock.from_ms(kept)) if kept else None, "behind", clock.behind_ms() // 1000)


@group.command("put-back")
@reason
@plain_errors
def put_back(reason: str) -> None:
    """Believe this machine's clock again, after one had run ahead. End the portal on all machines first.

    What expired or retired in the time between begins again to work.
    """
    moments.put_back(operator(), why=reason)
