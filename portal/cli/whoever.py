"""Who types a command: what the operating system tells of them, for the audit log."""

from __future__ import annotations

import os
import pwd
import socket

from portal.services.core.actor import Actor

LONGEST = 64
"""Characters that are kept of a name."""


def operator() -> Actor:
    """Whoever called this command: the user that it runs as, who that was before sudo, and the machine.

    The user comes from the system itself, the one before sudo from the environment, which that
    user can set: it helps to find out, and proves nothing.
    """
    told = {"os_user": _user(), "sudo_user": os.environ.get("SUDO_USER", ""), "host": socket.gethostname()}
    return Actor.command_line({name: text for name, value in told.items() if (text := _plain(value))})


def _user() -> str:
    """The name of the user, or its number where it has none, as in many containers."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _plain(text: str) -> str:
    """One short word of what can be printed."""
    return "".join(each for each in text if each.isprintable() and not each.isspace())[:LONGEST]
