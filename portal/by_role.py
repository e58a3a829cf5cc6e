"""Settings that have a number for each role: ``user=90,support=365``, or one number for all."""

from __future__ import annotations

from collections.abc import Mapping

from config_values import ConfigurationError
from portal.permissions import Role

EVERY_ROLE = ""
"""Stands for the roles that are not named."""


def number_of(given: Mapping[str, int], role: Role) -> int:
    """The number of a role."""
    return given[role.value] if role.value in given else given[EVERY_ROLE]


def check_roles(name: str, given: Mapping[str, int]) -> None:
    """Raise ConfigurationError when the setting of this name names a role that is none."""
    for word in given.keys() - {EVERY_ROLE, *(role.value for role in Role)}:
        raise ConfigurationError(f"PORTAL_{name} names a role that is none: {word}.")
