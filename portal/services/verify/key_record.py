"""What a check reads of a key and its owner, and how: past the ORM, in one statement."""

from __future__ import annotations

from typing import NamedTuple

from portal.models import KeyKind

QUERY = """
SELECT k.id, k.name, k.level, k.digest, k.pepper_id, k.account_id, k.created_at, k.expires_at,
       k.revoked_at, a.role, a.status, a.consent, a.username, k.kind, k.networks, k.not_before,
       k.max_idle, k.retires_at, k.calls_per_minute, k.calls_per_day, u.last_used_at,
       k.audiences, COALESCE(k.counted_with_id, k.id)
FROM api_keys k JOIN accounts a ON a.id = k.account_id LEFT JOIN key_usage u ON u.key_id = k.id
WHERE k.digest = {}
"""


class VerifiedKey(NamedTuple):
    """What a check reads of a key and its owner; times are milliseconds since the epoch.

    Past the ORM an enum is its plain value, as the database keeps it.

    ``max_idle`` is in seconds, ``networks`` and ``audiences`` as the modules of these names keep them.
    """

    id: str
    name: str
    level: int
    digest: bytes
    pepper_id: str
    account_id: int
    created_at: int
    expires_at: int
    revoked_at: int | None
    role: str
    status: int
    consent: int
    username: str = ""
    kind: str = KeyKind.ACCOUNT.value
    networks: str = ""
    not_before: int | None = None
    max_idle: int | None = None
    retires_at: int | None = None
    calls_per_minute: int | None = None
    calls_per_day: int | None = None
    last_used_at: int | None = None
    audiences: str = ""
    counted_as: str = ""
    """The first key of its line: a rotation renews no calls."""

    @property
    def is_service(self) -> bool:
        """Whether it introspects the keys of others, and opens nothing else."""
        return self.kind == KeyKind.SERVICE

    @property
    def audience(self) -> str | None:
        """In whose name a service key asks; None for other keys, and where it has none."""
        return (self.audiences or None) if self.is_service else None

    @property
    def ends_at(self) -> int:
        """When it ends, as things stand: by its expiry, for its successor, or unused."""
        ends = self.expires_at if self.retires_at is None else min(self.expires_at, self.retires_at)
        if self.max_idle is None:
            return ends
        awake = max(self.created_at, self.not_before or 0, self.last_used_at or 0)
        return min(ends, awake + self.max_idle * 1000)

    def __repr__(self) -> str:
        return f"<VerifiedKey {self.id}>"
