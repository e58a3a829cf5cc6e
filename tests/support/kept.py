"""What is the same in every application of a test run, and is worked out once instead of in each test.

Nothing of it is simplified: what is kept is what the portal or its library has worked out itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from werkzeug.routing import Rule

from portal.services.auth import passwords

_BUILDER = "_compile_builder"
"""Where Werkzeug compiles the function that builds a route's path, for each route of each application."""


class KeptHasher(PasswordHasher):
    """Compares a password with a hash truly, but the same two only once."""

    def __init__(self, hasher: PasswordHasher) -> None:
        super().__init__(
            hasher.time_cost,
            hasher.memory_cost,
            hasher.parallelism,
            hasher.hash_len,
            hasher.salt_len,
            type=hasher.type,
        )
        self.plain = hasher
        self._matches: dict[tuple[str | bytes, str | bytes], bool] = {}

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]  # noqa: A002
        """As the hasher does; a hash that is none is looked at each time."""
        pair = (hash, password)
        if pair not in self._matches:
            try:
                self._matches[pair] = bool(super().verify(hash, password))
            except VerifyMismatchError:
                self._matches[pair] = False
        if not self._matches[pair]:
            raise VerifyMismatchError
        return True


def keep_comparisons(patch: pytest.MonkeyPatch) -> None:
    """Compare a password and a hash once in a test run."""
    patch.setattr(passwords, "_hasher", KeptHasher(passwords._hasher))


def keep_routes(patch: pytest.MonkeyPatch) -> None:
    """Compile the function of a route once in a test run."""
    compile_builder: Callable[[Rule, bool], Any] = getattr(Rule, _BUILDER)
    kept: dict[tuple[object, ...], Any] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        made_of = (rule.rule, *rule._trace, append_unknown)
        if made_of not in kept:
            kept[made_of] = compile_builder(rule, append_unknown)
        return kept[made_of]

    patch.setattr(Rule, _BUILDER, compile_once)


def keep_templates(app: Flask, folder: object) -> None:
    """Let an application find the templates that another one has compiled before."""
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(folder))
