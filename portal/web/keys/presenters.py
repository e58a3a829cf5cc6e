"""A key as its pages show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from flask import url_for
from flask_babel import gettext

from portal import clock
from portal.labels import REASONS
from portal.levels import sentence_of
from portal.models import ApiKey, KeyKind, KeyUsage, RevocationReason, key_states
from portal.services.usage.queries import Day, count_refused, list_days
from portal.web.filters import length
from portal.web.keys.conditions import in_words

SPARK_DAYS = 14
NOTHING: Mapping[UUID, Sequence[ApiKey]] = MappingProxyType({})
RECENTLY = timedelta(days=1)
ENDED = ("expired", "revoked")


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What the templates need of a key; never a secret, there is none to be had."""

    id: UUID
    url: str
    """The page of it, below which are those that rotate and revoke it."""
    name: str
    level: int
    state: str
    created_at: datetime
    expires_at: datetime
    ends_at: datetime
    ended_at: datetime | None
    starts_at: datetime | None
    retires_at: datetime | None
    revoked_reason: str | None
    replaces: UUID | None
    last_used_at: datetime | None
    last_used_ip_address: str | None
    calls: int
    life: float
    is_service: bool
    environment: str | None
    conditions: Sequence[tuple[str, list[str]]]
    note: str
    idles_out_at: datetime | None
    unused_for: str
    is_unused: bool
    days: Sequence[int] = ()
    refusals: Sequence[int] = ()
    refused: int = 0
    beneath: Sequence[KeyRow] = ()

    @property
    def level_label(self) -> str:
        """The sentence of the level."""
        return sentence_of(self.level)

    @property
    def may(self) -> str:
        """What it may do, as a sentence."""
        if self.is_service:
            return str(gettext("A service key: it introspects the keys of others, and does nothing else."))
        return str(gettext("Level %(level)s: %(label)s.", level=self.level, label=self.level_label))

    @property
    def revoked_reason_label(self) -> str:
        """Why it was revoked, in words."""
        return gettext(REASONS[self.revoked_reason]) if self.revoked_reason else ""

    @property
    def bound_to(self) -> str:
        """The conditions in one line."""
        return "; ".join(f"{label} {', '.join(lines)}" for label, lines in self.conditions)

    @property
    def leaked(self) -> bool:
        """Whether its secret leaked."""
        return self.revoked_reason == RevocationReason.LEAKED

    @property
    def ended(self) -> bool:
        """Whether nothing accepts it any more."""
        return self.state in ENDED

    @property
    def selectable(self) -> bool:
        """Whether it can be revoked together with others."""
        return not self.ended

    @property
    def recently_used(self) -> bool:
        """Whether it was used in the last day, so that somebody would miss it."""
        return self.last_used_at is not None and clock.utcnow() - self.last_used_at < RECENTLY


def state_of(key: ApiKey, now: datetime) -> str:
    """The word of :func:`portal.models.key_states.word_of`."""
    return key_states.word_of(key, now)


def row(key: ApiKey, days: Sequence[Day] = (), refused: int = 0, beneath: Sequence[KeyRow] = ()) -> KeyRow:
    """Make the row of a key; ``days`` are its last fourteen, the oldest first."""
    now = clock.utcnow()
    used = key.usage
    whole = key.expires_at - key.created_at
    state, ended_at = state_of(key, now), key.revoked_at or key.ends_at
    return KeyRow(
        id=key.id,
        url=url_for("keys.detail", key_id=key.id),
        name=key.name,
        level=key.level,
        state=state,
        created_at=key.created_at,
        expires_at=key.expires_at,
        ends_at=key.ends_at,
        ended_at=ended_at if state in ENDED else None,
        starts_at=key.not_before if key.is_pending(now) else None,
        retires_at=key.retires_at,
        revoked_reason=(key.revoked_reason or RevocationReason.REPLACED) if state == "revoked" else None,
        replaces=key.replaces_id,
        last_used_at=used.last_used_at if used else None,
        last_used_ip_address=_place_of(used) if used else None,
        calls=used.calls if used else 0,
        life=max(0.0, (key.ends_at - now) / whole),
        is_service=key.kind is KeyKind.SERVICE,
        environment=key.environment,
        conditions=list(in_words(key)),
        note=key.note,
        idles_out_at=key.idles_out_at,
        unused_for=_unused_for(key, now),
        is_unused=key_states.is_unused(key, now),
        days=[day.calls for day in days],
        refusals=[day.refused for day in days],
        refused=refused,
        beneath=beneath,
    )


def _unused_for(key: ApiKey, now: datetime) -> str:
    """How long a key was unused that ended for it; empty of any other."""
    return length(timedelta(seconds=key.max_idle or 0)) if key.is_unused_too_long(now) else ""


def _place_of(used: KeyUsage) -> str | None:
    """From where a key was used last; services that introspect need not tell, removal forgets it."""
    return used.last_used_ip_address or (gettext("an unknown address") if used.last_used_at else None)


def rows(keys: Sequence[ApiKey], beneath: Mapping[UUID, Sequence[ApiKey]] = NOTHING) -> list[KeyRow]:
    """Make the rows of keys, each with its use; ``beneath`` are the old keys of some."""
    everything = [*keys, *(old for olds in beneath.values() for old in olds)]
    ids = [key.id for key in everything]
    days, refused = list_days(ids, SPARK_DAYS), count_refused(ids, key_states.REFUSED_WITHIN)

    def one(key: ApiKey, olds: Sequence[ApiKey] = ()) -> KeyRow:
        return row(key, days[key.id], refused.get(key.id, 0), [one(old) for old in olds])

    return [one(key, beneath.get(key.id, ())) for key in keys]
