"""A database as large as a portal's may get: accounts with keys, their use, and an audit log."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import Connection, create_engine, insert, select

from portal.models import (
    Account,
    AccountStatus,
    Action,
    ActorKind,
    ApiKey,
    AuditEvent,
    Consent,
    KeyRefusal,
    KeyUsage,
    KeyUsageHour,
    RevocationReason,
)
from portal.permissions import Role

DAY = timedelta(days=1)
AT_ONCE = 5000
PEPPER_ID = "p1"
CACHE_KB = 1_000_000
"""So that what is inserted out of order, the digests, is not written and read again and again."""
OWNERS_KEYS = 40
"""Live keys of the owner who looks, each with its use by the hour."""
HOURS = 24 * 30
TOLD = 0.3
"""The share of keys that were used, and whose creation the audit log tells; the log ends by age."""
Row = dict[str, Any]
NAMES = ("Nightly build", "Importer", "Laptop", "Gateway")
T = TypeVar("T")


class Size(NamedTuple):
    """How much there is."""

    accounts: int
    keys: int

    @property
    def keys_each(self) -> int:
        """Keys of an account."""
        return self.keys // self.accounts


def fill(database_url: str, owner: str, size: Size, chance: random.Random) -> None:
    """Add accounts with their keys, and keys with much use for the account with this email.

    The rows go past the rules of the services, and through the guards of the database.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    engine = create_engine(database_url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KB}")
        owner_id = connection.scalar(select(Account.id).where(Account.lemail == owner))
        first = owner_id + 1000
        add(connection, Account, (account(first + number, now, chance) for number in range(size.accounts)))
        strangers = range(first, first + size.accounts)
        fill_keys(connection, chain.from_iterable([each] * size.keys_each for each in strangers), now, chance)
        mine = fill_keys(connection, [owner_id] * OWNERS_KEYS, now, chance, is_live=True)
        add(connection, KeyUsageHour, hours(mine, now, chance))
        add(connection, KeyRefusal, refusals(mine, now, chance))
    engine.dispose()


def add(connection: Connection, model: type, rows: Iterable[Row]) -> None:
    """Insert rows, some thousands at a time."""
    for some in batches(rows):
        connection.execute(insert(model), some)


def batches(rows: Iterable[T]) -> Iterator[list[T]]:
    """The rows, some thousands at a time."""
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        yield some


def fill_keys(
    connection: Connection,
    owners: Iterable[int],
    now: datetime,
    chance: random.Random,
    *,
    is_live: bool = False,
) -> list[UUID]:
    """Insert a key for each of the owners, with its use and its entry in the audit log."""
    ids: list[UUID] = []
    for some in batches(owners):
        keys = [key(owner, now, chance, is_live=is_live) for owner in some]
        connection.execute(insert(ApiKey), keys)
        told = [each for each in keys if is_live or chance.random() < TOLD]
        connection.execute(insert(KeyUsage), [usage(each["id"], now, chance) for each in told])
        connection.execute(insert(AuditEvent), [creation(each) for each in told])
        if is_live:
            ids += [each["id"] for each in keys]
    return ids


def account(number: int, now: datetime, chance: random.Random) -> Row:
    """An account of somebody."""
    name = f"person-{number}"
    created = now - chance.random() * 700 * DAY
    return {
        "id": number,
        "email": f"{name}@example.org",
        "lemail": f"{name}@example.org",
        "username": name,
        "lusername": name,
        "role": Role.USER,
        "status": AccountStatus.ACTIVE,
        "consent": Consent.PROCESSING,
        "created_at": created,
        "updated_at": created,
    }


def key(owner: int, now: datetime, chance: random.Random, *, is_live: bool) -> Row:
    """A key, of which some have expired and some are revoked."""
    created = now - chance.random() * (60 if is_live else 500) * DAY
    ended = not is_live and created < now - 3 * DAY and chance.random() < 0.3
    moment, low = int(created.timestamp() * 1000), chance.getrandbits(62)
    return {
        "id": UUID(int=moment << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | low),
        "account_id": owner,
        "name": f"{chance.choice(NAMES)} {chance.randrange(1000)}",
        "level": chance.randrange(4),
        "digest": secrets.token_bytes(32),
        "pepper_id": PEPPER_ID,
        "created_at": created,
        "expires_at": created + chance.choice((90, 180, 360)) * DAY,
        "revoked_at": created + DAY if ended else None,
        "revoked_reason": RevocationReason.OWNER if ended else None,
    }


def usage(key_id: UUID, now: datetime, chance: random.Random) -> Row:
    """What a key did in all."""
    return {
        "key_id": key_id,
        "calls": chance.randrange(100_000),
        "refused": chance.randrange(20),
        "last_used_at": now - chance.random() * 100 * DAY,
        "last_used_ip_address": f"203.0.113.{chance.randrange(256)}",
    }


def creation(key: Row) -> Row:
    """The entry about a key that was created."""
    return {
        "at": key["created_at"],
        "action": Action.KEY_CREATED,
        "actor_kind": ActorKind.BROWSER,
        "actor_account_id": key["account_id"],
        "account_id": key["account_id"],
        "key_id": key["id"],
        "ip_address": "203.0.113.7",
        "request_id": secrets.token_hex(8),
        "details": {"name": key["name"], "level": key["level"]},
    }


def hours(ids: list[UUID], now: datetime, chance: random.Random) -> Iterator[Row]:
    """Use by the hour, of a month."""
    latest = now.replace(minute=0, second=0)
    for key_id in ids:
        for ago in range(HOURS):
            calls = chance.randrange(2000)
            hour = latest - timedelta(hours=ago)
            yield {"key_id": key_id, "hour": hour, "calls": calls, "refused": calls // 100}


def refusals(ids: list[UUID], now: datetime, chance: random.Random) -> Iterator[Row]:
    """Refusals by the hour, of two days."""
    latest = now.replace(minute=0, second=0)
    for key_id in ids:
        for ago in range(48):
            hour = latest - timedelta(hours=ago)
            for reason in ("tooManyRequests", "insufficientAccessLevel"):
                yield {"key_id": key_id, "hour": hour, "reason": reason, "refused": 1 + chance.randrange(9)}
