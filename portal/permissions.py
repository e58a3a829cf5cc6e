"""Levels and roles: the one table that pages, API, documentation and tests read.

A level says what a key may do; a role says up to which level an account may go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

LONGEST_LIFE = timedelta(days=365)
"""No key lives longer; the database holds it too."""


def N_(sentence: str) -> str:  # noqa: N802  # the name that gettext tools know
    """Mark a sentence for translation; whoever shows it translates it."""
    return sentence


@dataclass(frozen=True, slots=True)
class Level:
    """One step of what a key may do: its number and the sentence that pages show."""

    number: int
    sentence: str


LEVELS: tuple[Level, ...] = (
    Level(0, N_("Identity only")),
    Level(1, N_("Read resources")),
    Level(2, N_("Read account")),
    Level(3, N_("Write resources")),
    Level(4, N_("Write account and keys")),
    Level(5, N_("Read others' resources")),
    Level(6, N_("Read others' accounts")),
    Level(7, N_("Read others' accounts, as level 6")),
    Level(8, N_("Write others' accounts, as support")),
    Level(9, N_("Everything")),
)
HIGHEST_LEVEL = LEVELS[-1].number

READ_ACCOUNT = 2
WRITE_ACCOUNT = 4
READ_OTHERS = 6
SUPPORT = 8
ADMINISTER = 9


class Role(StrEnum):
    """What an account is; :attr:`level` is the highest that it may use or give."""

    USER = "user"
    TESTER = "tester"
    CURATOR = "curator"
    BUGHUNTER = "bughunter"
    SUPPORT = "support"
    ADMIN = "admin"

    @property
    def level(self) -> int:
        """The level of this role."""
        return ROLE_LEVELS[self]

    @property
    def is_operator(self) -> bool:
        """Whether the role opens the operators' pages."""
        return self.level >= SUPPORT


ROLE_LEVELS: dict[Role, int] = {
    Role.USER: 4,
    Role.TESTER: 4,
    Role.CURATOR: 5,
    Role.BUGHUNTER: 6,
    Role.SUPPORT: 8,
    Role.ADMIN: 9,
}


def levels_up_to(highest: int) -> tuple[Level, ...]:
    """The levels that somebody who may go up to ``highest`` can give."""
    return tuple(level for level in LEVELS if level.number <= highest)


def scope_of(level: int) -> str:
    """A level as a word of OAuth's ``scope`` (RFC 6749, 3.3)."""
    return f"level:{level}"


def effective_level(key_level: int, role: Role) -> int:
    """The level that counts at a check: the lower of the key's own and the owner's role now."""
    return min(key_level, role.level)
