"""One batch of use, as a process collects it and as it is written: all in one transaction.

Rows are locked in one order, by key, first the key itself and then its sums, so that two
processes that write at the same time never wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    case,
    delete,
    func,
    literal_column,
    select,
    tuple_,
    type_coerce,
)

from portal import clock
from portal.extensions import Base
from portal.models import ApiKey, KeyIpAddress, KeyRefusal, KeyUsage, KeyUsageHour
from portal.services.core.upsert import insert_into
from portal.services.usage import moments, refusals
from portal.services.usage.refusals import Collected

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
IP_ADDRESSES_KEPT = 10
ELSEWHERE = ""
"""Stands for the addresses that are no longer told apart."""
NEVER_USED = {"last_used_at": None, "last_used_address": None, "minute_calls": 0}
AT_ONCE = 1000
"""Keys that one statement names."""

Slot = tuple[str, int, str]
"""Key, the hour's first millisecond, and an address or a reason."""
Use = list[int]
"""How many calls, the millisecond of the last, and how many of them were in its minute."""
Row = dict[str, Any]


class Batch(NamedTuple):
    """What was collected: calls, refusals, and the circumstances of the last ones."""

    calls: dict[Slot, Use]
    refusals: dict[Slot, int]
    recent: Collected


def add_up(use: Use, more: Use) -> None:
    """Add more calls of one key to a use."""
    use[0] += more[0]
    minutes = more[1] // MINUTE_MS - use[1] // MINUTE_MS
    if minutes >= 0:
        use[2] = more[2] + (use[2] if minutes == 0 else 0)
    use[1] = max(use[1], more[1])


def fold_ip_addresses(calls: Mapping[Slot, Use]) -> dict[Slot, Use]:
    """The same calls, with only the newest addresses of each key told apart.

    There are then as many slots as hours in use, and the few addresses of each key.
    """
    kept = {key_id: {ip_address for ip_address, _ in uses} for key_id, uses in _newest(calls).items()}
    folded: dict[Slot, Use] = {}
    for (key_id, hour, ip_address), use in calls.items():
        place = ip_address if ip_address in kept[key_id] else ELSEWHERE
        add_up(folded.setdefault((key_id, hour, place), [0, 0, 0]), use)
    return folded


def write(connection: Connection, batch: Batch) -> None:
    """Add a batch to the tables, inside the caller's transaction. Raises SQLAlchemyError."""
    totals, hours = _sums(batch)
    if not totals:
        return
    newest = _newest(batch.calls)
    hold_keys(connection, [row["key_id"] for row in totals])
    _add_totals(connection, totals)
    _add(connection, KeyUsageHour, hours, ("calls", "refused"))
    _add(connection, KeyRefusal, _refusals(batch), ("refused",))
    refusals.write(connection, batch.recent)
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
        whole = by_key.setdefault(key_id, row | NEVER_USED)
        return whole, by_hour.setdefault((key_id, hour), row | {"hour": clock.from_ms(hour)})

    for (key_id, hour, _ip_address), (calls, *_) in batch.calls.items():
        for row in rows(key_id, hour):
            row["calls"] += calls
    for (key_id, hour, _reason), refused in batch.refusals.items():
        for row in rows(key_id, hour):
            row["refused"] += refused
    for key_id, (ip_address, (_calls, last, minute_calls)) in _latest(batch.calls).items():
        by_key[key_id] |= {
            "last_used_at": clock.from_ms(last),
            "last_used_address": ip_address,
            "minute_calls": minute_calls,
        }
    return [by_key[key] for key in sorted(by_key)], [by_hour[slot] for slot in sorted(by_hour)]


def _latest(calls: Mapping[Slot, Use]) -> dict[str, tuple[str, Use]]:
    """From where each key was used last, and its use in all."""
    latest: dict[str, tuple[str, Use]] = {}
    for (key_id, _hour, ip_address), use in calls.items():
        place, whole = latest.get(key_id, (ELSEWHERE, [0, 0, 0]))
        newest = max((whole[1], place), (use[1], ip_address))[1]
        add_up(whole, use)
        latest[key_id] = newest, whole
    return latest


def _refusals(batch: Batch) -> list[Row]:
    return [
        {"key_id": UUID(key_id), "hour": clock.from_ms(hour), "reason": str(reason), "refused": refused}
        for (key_id, hour, reason), refused in sorted(batch.refusals.items())
    ]


def _newest(calls: Mapping[Slot, Use]) -> dict[str, list[tuple[str, Use]]]:
    """The newest addresses of each key, with calls and the last of them."""
    places: dict[str, dict[str, Use]] = {}
    for (key_id, _hour, ip_address), use in calls.items():
        ip_addresses = places.setdefault(key_id, {})
        if ip_address != ELSEWHERE:
            add_up(ip_addresses.setdefault(ip_address, [0, 0, 0]), use)
    return {
        key_id: sorted(uses.items(), key=lambda use: (-use[1][1], use[0]))[:IP_ADDRESSES_KEPT]
        for key_id, uses in places.items()
    }


def _ip_addresses(newest: Mapping[str, list[tuple[str, Use]]]) -> Iterator[Row]:
    for key_id in sorted(newest):
        for ip_address, (calls, last, _in_minute) in sorted(newest[key_id]):
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


def _add_totals(connection: Connection, totals: list[Row]) -> None:
    """Add to the keys in all; the last use and the calls of its minute are those of whichever is later."""
    insert = insert_into(connection, KeyUsage)
    new, old = insert.excluded, KeyUsage.__table__.c
    is_same_minute = _minute(new.last_used_at) == _minute(old.last_used_at)
    minute_calls = case(
        (is_same_minute, old.minute_calls + new.minute_calls),
        (_is_later(new, old), new.minute_calls),
        else_=old.minute_calls,
    )
    change = _change(new, old, ("calls", "refused"), ("last_used_at", "last_used_address"))
    _upsert(connection, KeyUsage, insert, change | {"minute_calls": minute_calls}, totals)


def _add(
    connection: Connection,
    model: type[Base],
    rows: list[Row],
    sums: tuple[str, ...],
    *,
    later: tuple[str, ...] = (),
) -> None:
    """Insert rows, or add them to those that are there; ``later`` columns follow the last use."""
    insert = insert_into(connection, model)
    change = _change(insert.excluded, model.__table__.c, sums, later)
    _upsert(connection, model, insert, change, rows)


def _change(new: Any, old: Any, sums: tuple[str, ...], later: tuple[str, ...]) -> Row:
    change: Row = {name: old[name] + new[name] for name in sums}
    return change | {name: case((_is_later(new, old), new[name]), else_=old[name]) for name in later}


def _upsert(connection: Connection, model: type[Base], insert: Any, change: Row, rows: list[Row]) -> None:
    if rows:
        keys = list(model.__table__.primary_key)
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=change), rows)


def _is_later(new: Any, old: Any) -> ColumnElement[bool]:
    is_later: ColumnElement[bool] = new.last_used_at > func.coalesce(old.last_used_at, 0)
    return is_later


def _minute(moment: Any) -> ColumnElement[int]:
    return type_coerce(moment, BigInteger) // literal_column(str(MINUTE_MS), BigInteger)


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
