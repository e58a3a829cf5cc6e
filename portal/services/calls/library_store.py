"""Calls counted in any store that the ``limits`` package knows, such as Redis.

For installations whose machines share such a store already and would rather not trouble the
database with leases. An extra: requirements-redis.txt has what it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from config_values import ConfigurationError
from portal.services.calls.leases import (
    DAY,
    MINUTE,
    Ask,
    Lease,
    StoreAway,
    Taken,
    Unused,
    lease_size,
    window_end,
)
from portal.services.core.trouble import words_of

if TYPE_CHECKING:
    from limits.storage import Storage

SPARE = 60
"""Seconds that a counter outlives its window, for clocks that differ."""
TIMEOUT = 2
"""Seconds that Redis may take to answer."""
NOT_INSTALLED = (
    "PORTAL_LIMITS_STORE needs packages that are not installed: run .venv/bin/pip install --no-deps "
    "--require-hashes --requirement requirements-redis.txt, or take the setting away."
)

log = logging.getLogger(__name__)


class LibraryStore:
    """Counts through ``Storage.incr``; a lease that would be above the limit is counted back."""

    cheap_to_ask = False

    def __init__(self, url: str) -> None:
        """Raises ConfigurationError without ``limits``, and for an address that it knows no store for."""
        try:
            from limits.errors import StorageError  # noqa: PLC0415  # an extra that few install
        except ImportError:
            raise ConfigurationError(NOT_INSTALLED) from None
        self._storage = _open(url)
        self._error = StorageError

    def take(self, key_id: str, asks: Sequence[Ask], now_ms: int) -> list[Lease]:
        """Lease for each window; give all back when one of them is used up."""
        try:
            leases = [self._lease(key_id, ask, now_ms) for ask in asks]
            if all(lease.granted for lease in leases):
                return leases
            for lease, ask in zip(leases, asks, strict=True):
                self._uncount(_name(key_id, lease.span, lease.ends_at), lease.granted + ask.owed)
        except self._error as error:
            raise StoreAway(words_of(error.storage_error)) from error
        return [
            lease._replace(granted=0, rest=lease.rest + lease.granted, owed=ask.owed)
            for lease, ask in zip(leases, asks, strict=True)
        ]

    def give_back(self, unused: Sequence[Unused]) -> None:
        """Count back what was leased and not used."""
        for each in unused:
            self._uncount(_name(each.key_id, each.span, each.ends_at), each.amount)

    def taken(self, key_ids: Sequence[str], now_ms: int) -> Taken:
        """Ask for each key and window."""
        try:
            return {
                key_id: {
                    span: self._storage.get(_name(key_id, span, window_end(now_ms, span)))
                    for span in (MINUTE, DAY)
                }
                for key_id in key_ids
            }
        except self._error as error:
            raise StoreAway(words_of(error.storage_error)) from error

    def close(self) -> None:
        """Nothing: the client closes its connections when it goes."""

    def _lease(self, key_id: str, ask: Ask, now_ms: int) -> Lease:
        ends_at = window_end(now_ms, ask.span)
        name = _name(key_id, ask.span, ends_at)
        wanted = lease_size(max(0, ask.limit - self._storage.get(name) - ask.owed))
        if not wanted + ask.owed:
            return Lease(ask.span, ends_at, 0, 0)
        counted = self._storage.incr(name, ask.span + SPARE, wanted + ask.owed)
        above = min(wanted, max(0, counted - ask.limit))
        self._uncount(name, above)
        if wanted == above:  # whatever has come back meanwhile is there at the next look
            return Lease(ask.span, ends_at, 0, 0)
        return Lease(ask.span, ends_at, wanted - above, max(0, ask.limit - counted))

    def _uncount(self, name: str, amount: int) -> None:
        """Count back; where a store can't (memcached), it stays counted until the window ends."""
        if not amount:
            return
        try:
            self._storage.incr(name, DAY, -amount)
        except self._error as error:
            log.debug("call limits: not counted back: %s", type(error.storage_error).__name__)


def _open(url: str) -> Storage:
    from limits.storage import Storage, storage_from_string  # noqa: PLC0415  # an extra

    options = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    is_redis = url.startswith(("redis://", "rediss://"))
    storage, trouble = None, ""
    try:
        storage = storage_from_string(url, wrap_exceptions=True, **(options if is_redis else {}))
    except Exception as error:  # noqa: BLE001  # each client has errors of its own, which may quote a password
        trouble = type(error).__name__
    if trouble:
        raise ConfigurationError(
            "PORTAL_LIMITS_STORE can't be used: it must name a store of the package limits, as in "
            f"redis://host:6379, and the client for it has to be installed ({trouble})."
        )
    if not isinstance(storage, Storage):
        raise ConfigurationError("PORTAL_LIMITS_STORE can't be an asynchronous store: leave out async+.")
    return storage


def _name(key_id: str, span: int, ends_at: int) -> str:
    return f"calls/{key_id}/{span}/{ends_at}"
