"""Keys as they go over the wire: the six fields of the contract first, then what came later."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from portal.api.schemas import LevelNumber, Request, Success, Time, Wire
from portal.models import ApiKey
from portal.models.key import NAME_LENGTH, NOTE_LENGTH, SHORTEST_IDLE
from portal.permissions import LONGEST_LIFE
from portal.services.keys.conditions import LONGEST_IDLE


class NewKey(Request):
    """The key that shall be made. Nothing of it can be changed later."""

    name: str = Field(min_length=1, max_length=NAME_LENGTH, examples=["ci"])
    level: LevelNumber = Field(examples=[3], description="Of a service key 0, or left out.")
    expires_in: int = Field(
        ge=1,
        le=int(LONGEST_LIFE.total_seconds()),
        description="Seconds that the key shall live.",
        examples=[86_400],
    )
    kind: Literal["account", "service"] | None = Field(
        default=None, description="service: it introspects the keys of others, and nothing else; for admins."
    )
    networks: list[str] | None = Field(
        default=None,
        description="CIDRs that it may be used from; with ! before it, one that it may not be used from.",
        examples=[["192.0.2.0/24", "!192.0.2.7"]],
    )
    audiences: list[str] | None = Field(
        default=None,
        description="Names of the services that it is good for; of a service key its own, one.",
        examples=[["orders"]],
    )
    not_before: Time | None = Field(default=None, description="From when on it is good.")
    max_idle: int | None = Field(
        default=None,
        ge=SHORTEST_IDLE,
        le=LONGEST_IDLE,
        description="Seconds without use after which it ends.",
    )
    environment: Literal["live", "test"] | None = Field(default=None, description="A label, and no right.")
    calls_per_minute: int | None = Field(default=None, ge=1, description="Less than the role's, if given.")
    calls_per_day: int | None = Field(default=None, ge=1, description="Less than the role's, if given.")
    note: str | None = Field(
        default=None, max_length=NOTE_LENGTH, description="Private: told to the owner, and to no service."
    )


class Rotation(Request):
    """For how long the old key shall work beside its successor."""

    overlap: Literal[0, 3600, 86_400, 604_800] = Field(
        default=0, description="Seconds; they are cut to the expiry of the old key."
    )


class ApiKeyFacts(Wire):
    """A key, without its secret."""

    key: UUID
    level: LevelNumber
    name: str
    created_at: Time
    expires_at: Time
    user_id: int


class BoundKeyFacts(ApiKeyFacts):
    """A key and what it is bound to, without the private note; below level 4 nothing more is told."""

    kind: Literal["account", "service"]
    environment: Literal["live", "test"] | None
    networks: list[str] = Field(description="Where it may be used from; with ! where it may not.")
    audiences: list[str] = Field(description="Services that it is good for; empty where for all.")
    not_before: Time | None
    max_idle: int | None = Field(description="Seconds without use after which it ends.")
    calls_per_minute: int | None
    calls_per_day: int | None
    replaces: UUID | None = Field(description="The key whose place it has taken.")
    retires_at: Time | None = Field(description="Until when it works, once it has a successor itself.")


class OwnKeyFacts(BoundKeyFacts):
    """A key as its owner sees it: with the private note."""

    note: str


class NewApiKeyFacts(OwnKeyFacts):
    """A key that was made just now, with its secret, which is shown this once."""

    secret: str = Field(repr=False)


class ApiKeyAnswer(Success):
    """One key."""

    apikey: ApiKeyFacts


class OwnKeyAnswer(Success):
    """One key of the caller's account."""

    apikey: OwnKeyFacts


class ApiKeysAnswer(Success):
    """Some keys, the oldest first; ``next`` is the cursor of the rest, or null.

    A key below level 2 sees itself and no other; below level 4 the notes are left out.
    """

    apikeys: list[OwnKeyFacts | BoundKeyFacts]
    next: str | None


class NewApiKeyAnswer(Wire):
    """The key that was made."""

    result: Literal["created"] = "created"
    apikey: NewApiKeyFacts


class RotatedAnswer(NewApiKeyAnswer):
    """The successor, and what becomes of the key whose place it takes."""

    replaces: UUID
    retires_at: Time | None = Field(
        description="Until when the old key works; null where it had ended before."
    )


def own_key_facts(key: ApiKey) -> OwnKeyFacts:
    """What the owner is told of a key."""
    return OwnKeyFacts.model_validate(_key_values(key))


def listed_key_facts(key: ApiKey, *, with_note: bool) -> OwnKeyFacts | BoundKeyFacts:
    """What a list tells of a key."""
    return own_key_facts(key) if with_note else BoundKeyFacts.model_validate(_key_values(key))


def new_key_facts(key: ApiKey, secret: str) -> NewApiKeyFacts:
    """What is told of a key in the one answer that holds its secret."""
    return NewApiKeyFacts.model_validate(_key_values(key) | {"secret": secret})


def _key_values(key: ApiKey) -> dict[str, Any]:
    return {
        "key": key.id,
        "level": key.level,
        "name": key.name,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "user_id": key.account_id,
        "kind": key.kind.value,
        "environment": key.environment and key.environment.value,
        "networks": key.networks.split(),
        "audiences": key.audiences.split(),
        "not_before": key.not_before,
        "max_idle": key.max_idle,
        "calls_per_minute": key.calls_per_minute,
        "calls_per_day": key.calls_per_day,
        "note": key.note,
        "replaces": key.replaces_id,
        "retires_at": key.retires_at,
    }
