"""One batch of use, as a process collects it and as it is written: all in one transaction.

Rows are locked in one order, by key, first the key itself and then its sums, so that two
processes that write at the same time never wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, case, delete, func, select, tuple_

from portal import clock
from portal.extensions import Base
from portal.models import ApiKey, KeyIpAddress, KeyRefusal, KeyUsage, KeyUsageHour
from portal.services.core.upsert import insert_into
from portal.services.usage import moments

HOUR_MS = 3_600_000
IP_ADDRESSES_KEPT = 10
ELSEWHERE = ""
"""Stands for the addresses that are no longer told apart."""
AT_ONCE = 1000
"""Keys that one statement names."""

Slot = tuple[str, int, str]
"""Key, the hour's first millisecond, and an address or a reason."""
Row = dict[str, Any]


class Batch(NamedTuple):
    """What was collected: calls with the millisecond of the last, and refusals."""

    calls: dict[Slot, list[int]]
    refusals: dict[Slot, int]


def fold_ip_addresses(calls: Mapping[Slot, list[int]]) -> dict[Slot, list[int]]:
    """The same calls, with only the newest addresses of each key told apart.

    There are then as many slots as hours in use, and the few addresses of each key.
    """
    kept = {key_id: {ip_address for ip_address, _ in uses} for key_id, uses in _newest(calls).items()}
    folded: dict[Slot, list[int]] = {}
    for (key_id, hour, ip_address), (count, last) in calls.items():
        place = ip_address if ip_address in kept[key_id] else ELSEWHERE
        use = folded.setdefault((key_id, hour, place), [0, 0])
        use[0] += count
        use[1] = max(use[1], last)
    return folded


def write(connection: Connection, batch: Batch) -> None:
    """Add a batch to the tables, inside the caller's transaction. Raises SQLAlchemyError."""
    totals, hours = _sums(batch)
    if not totals:
        return
    newest = _newest(batch.calls)
    hold_keys(connection, [row["key_id"] for row in totals])
    _add(connection, KeyUsage, totals, ("calls", "refused"), later=("last_used_at", "last_used_address"))
    _add(connection, KeyUsageHour, hours, ("calls", "refused"))
    _add(connection, KeyRefusal, _refusals(batch), ("refused",))
    _add(connection, KeyIpAddress, list(_ip_addresses(newest)), ("calls",), later=("last_used_at",))
    for keys in _portions([UUID(key_id) for key_id in sorted(newest)]):
        _forget_older(connection, keys)
    moments.keep(connection)


def _sums(batch: Batch) -> tuple[list[Row], list[Row]]:
    """Rows for the key in all and for its hours, both in the order of keys."""
    by_key: dict[str, Row] = {}
    by_hour: dict[tuple[str, int], Row] = {}

    def rows(key_id: str, hour: int) -> tuple[Row, Row]:
        row = {"key_id": UUID(key_id), "calls": 0, "refused": 0}
        whole = by_key.setdefault(key_id, row | {"last_used_at": None, "last_used_address": None})
        return whole, by_hour.setdefault((key_id, hour), row | {"hour": clock.from_ms(hour)})

    for (key_id, hour, _ip_address), (calls, _last) in batch.calls.items():
        for row in rows(key_id, hour):
            row["calls"] += calls
    for (key_id, hour, _reason), refused in batch.refusals.items():
        for row in rows(key_id, hour):
            row["refused"] += refused
    for key_id, (last, ip_address) in _latest(batch.calls).items():
        by_key[key_id] |= {"last_used_at": clock.from_ms(last), "last_used_address": ip_address}
    return [by_key[key] for key in sorted(by_key)], [by_hour[slot] for slot in sorted(by_hour)]


def _latest(calls: Mapping[Slot, list[int]]) -> dict[str, tuple[int, str]]:
    """The last use of each key: its millisecond, and from where."""
    latest: dict[str, tuple[int, str]] = {}
    for (key_id, _hour, ip_address), (_count, last) in calls.items():
        latest[key_id] = max(latest.get(key_id, (0, ELSEWHERE)), (last, ip_address))
    return latest


def _refusals(batch: Batch) -> list[Row]:
    return [
        {"key_id": UUID(key_id), "hour": clock.from_ms(hour), "reason": str(reason), "refused": refused}
        for (key_id, hour, reason), refused in sorted(batch.refusals.items())
    ]


def _newest(calls: Mapping[Slot, list[int]]) -> dict[str, list[tuple[str, list[int]]]]:
    """The newest addresses of each key, with calls and the last of them."""
    places: dict[str, dict[str, list[int]]] = {}
    for (key_id, _hour, ip_address), (count, last) in calls.items():
        ip_addresses = places.setdefault(key_id, {})
        if ip_address != ELSEWHERE:
            use = ip_addresses.setdefault(ip_address, [0, 0])
            use[0] += count
            use[1] = max(use[1], last)
    return {
        key_id: sorted(uses.items(), key=lambda use: (-use[1][1], use[0]))[:IP_ADDRESSES_KEPT]
        for key_id, uses in places.items()
    }


def _ip_addresses(newest: Mapping[str, list[tuple[str, list[int]]]]) -> Iterator[Row]:
    for key_id in sorted(newest):
        for ip_address, (calls, last) in sorted(newest[key_id]):
            yield {
                "key_id": UUID(key_id),
                "address": ip_address,
                "calls": calls,
                "last_used_at": clock.from_ms(last),
            }


def hold_keys(connection: Connection, key_ids: Sequence[UUID]) -> None:
    """Take the lock that a foreign key asks for, before any other and in the order of keys."""
    if connection.dialect.name == "sqlite":
        return
    for keys in _portions(key_ids):
        query = select(ApiKey.id).where(ApiKey.id.in_(keys)).order_by(ApiKey.id)
        connection.execute(query.with_for_update(read=True, key_share=True))


def _add(
    connection: Connection,
    model: type[Base],
    rows: list[Row],
    sums: tuple[str, ...],
    *,
    later: tuple[str, ...] = (),
) -> None:
    """Insert rows, or add them to those that are there; ``later`` columns follow the last use."""
    if not rows:
        return
    insert = insert_into(connection, model)
    new, old = insert.excluded, model.__table__.c
    change: dict[str, Any] = {name: old[name] + new[name] for name in sums}
    if later:
        is_later = new.last_used_at > func.coalesce(old.last_used_at, 0)
        change |= {name: case((is_later, new[name]), else_=old[name]) for name in later}
    keys = list(model.__table__.primary_key)
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=change), rows)


def _forget_older(connection: Connection, key_ids: Sequence[UUID]) -> None:
    """Delete the addresses of these keys but for the newest."""
    columns = KeyIpAddress.key_id, KeyIpAddress.ip_address
    newest_first = KeyIpAddress.last_used_at.desc(), KeyIpAddress.ip_address
    place = func.row_number().over(partition_by=KeyIpAddress.key_id, order_by=newest_first)
    ranked = select(*columns, place.label("place")).where(KeyIpAddress.key_id.in_(key_ids)).subquery()
    older = select(ranked.c.key_id, ranked.c.ip_address).where(ranked.c.place > IP_ADDRESSES_KEPT)
    connection.execute(delete(KeyIpAddress).where(tuple_(*columns).in_(older)))


def _portions(key_ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (key_ids[start : start + AT_ONCE] for start in range(0, len(key_ids), AT_ONCE))
