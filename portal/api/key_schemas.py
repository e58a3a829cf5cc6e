"""Keys as they go over the wire: the six fields of the contract first, then what came later."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticKnownError

from portal import clock
from portal.api.schemas import LevelNumber, NotBlank, Request, Success, Time, Whole, Wire, whole
from portal.models import ApiKey, Environment, KeyKind
from portal.models.key import NAME_LENGTH, NOTE_LENGTH, SHORTEST_IDLE
from portal.permissions import LONGEST_LIFE
from portal.services.core.errors import InvalidInput
from portal.services.keys.audiences import parse_audiences
from portal.services.keys.conditions import LONGEST_IDLE, Conditions, clean_note
from portal.services.keys.issuing import NO_ACCESS
from portal.services.keys.networks import parse_networks
from portal.services.keys.queries import KeyStatus
from portal.services.verify.verifier import CANONICAL_UUID


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


def _moment(value: Any) -> datetime:
    text = _text(value)
    try:
        return clock.from_ms(clock.to_ms(datetime.fromisoformat(text)))
    except (ValueError, OverflowError) as error:
        raise InvalidInput("notBeforeInvalid", "notBefore") from error


def _calls(value: Any) -> int:
    """A limit of calls; what is no whole number is asked for as 0, which the rules refuse."""
    calls = 0 if isinstance(value, str | bool) else whole(value)
    return calls if isinstance(calls, int) else 0


def _within_a_year(seconds: int) -> int:
    if seconds > LONGEST_LIFE.total_seconds():
        raise InvalidInput("expiresInHigherThanMaximum", "expires", days=LONGEST_LIFE.days)
    return seconds


def _digits(text: str) -> str:
    if not re.fullmatch("[0-9]{1,4}", text):
        raise PydanticKnownError("int_parsing")
    return text


def _key_id(text: str) -> str:
    """An id as answers write it; UUIDs have other forms besides."""
    if not CANONICAL_UUID.fullmatch(text.lower()):
        raise PydanticKnownError("uuid_type")
    return text


def _parsed_by(parse: Callable[[list[str]], str]) -> BeforeValidator:
    """Reads a list of texts, and stops at the first that is none: a body may hold very many."""

    def read(given: Any) -> list[str]:
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise PydanticKnownError("list_type")
        return parse(given).split()

    return BeforeValidator(read)


CALLS = {"type": "integer", "minimum": 1}
IDLE = {"type": "integer", "minimum": SHORTEST_IDLE, "maximum": LONGEST_IDLE}
NOTE = {"type": "string", "maxLength": NOTE_LENGTH}
KEY_ID = {"type": "string", "format": "uuid"}
STATUS = {"type": "string", "enum": [status.value for status in KeyStatus]}
Calls = Annotated[int, BeforeValidator(_calls), WithJsonSchema(CALLS)]
Words = Annotated[list[str], BeforeValidator(lambda kept: kept.split() if isinstance(kept, str) else kept)]
"""Kept as one text."""


class NewKeyBasics(Request):
    """What is asked of every new key. A service key has no level of its own, and may leave it out."""

    name: Annotated[str, NotBlank] = Field(
        examples=["ci"], json_schema_extra={"minLength": 1, "maxLength": NAME_LENGTH}
    )
    level: Annotated[LevelNumber, Whole] = Field(examples=[3], description="Of a service key 0, or left out.")
    expires_in: Annotated[int, AfterValidator(_within_a_year), Whole] = Field(
        ge=1,
        description="Seconds that the key shall live.",
        examples=[86_400],
        json_schema_extra={"maximum": int(LONGEST_LIFE.total_seconds())},
    )
    codes: ClassVar = {
        "level": "invalidLevel",
        "level.int_type": "levelNotNumeric",
        "expiresIn": "expiresInNotNumeric",
        "maxIdle": "maxIdleInvalid",
        "kind.literal_error": "kindInvalid",
        "environment.literal_error": "environmentInvalid",
    }

    @model_validator(mode="before")
    @classmethod
    def _level_of_service_keys(cls, found: dict[str, Any]) -> dict[str, Any]:
        is_service = found.get("kind") == KeyKind.SERVICE
        return found | {"level": NO_ACCESS} if is_service and found.get("level") is None else found


class NewKey(NewKeyBasics):
    """The key that shall be made. Nothing of it can be changed later."""

    kind: Annotated[
        Literal["account", "service"] | None, BeforeValidator(lambda given: _text(given) or None)
    ] = Field(
        default=None, description="service: it introspects the keys of others, and nothing else; for admins."
    )
    networks: Annotated[list[str], _parsed_by(parse_networks)] | None = Field(
        default=None,
        description="CIDRs that it may be used from; with ! before it, one that it may not be used from.",
        examples=[["192.0.2.0/24", "!192.0.2.7"]],
    )
    audiences: Annotated[list[str], _parsed_by(parse_audiences)] | None = Field(
        default=None,
        description="Names of the services that it is good for; of a service key its own, one.",
        examples=[["orders"]],
    )
    not_before: Annotated[Time, BeforeValidator(_moment)] | None = Field(
        default=None, description="From when on it is good."
    )
    max_idle: Annotated[int, Whole, WithJsonSchema(IDLE)] | None = Field(
        default=None, description="Seconds without use after which it ends."
    )
    environment: Annotated[Literal["live", "test"], BeforeValidator(_text)] | None = Field(
        default=None, description="A label, and no right."
    )
    note: Annotated[str, WithJsonSchema(NOTE)] | None = Field(
        default=None, description="Private: told to the owner, and to no service."
    )
    calls_per_minute: Calls | None = Field(default=None, description="Less than the role's, if given.")
    calls_per_day: Calls | None = Field(default=None, description="Less than the role's, if given.")

    def conditions(self) -> Conditions:
        """What the key shall be bound to."""
        return Conditions(
            networks=" ".join(self.networks or ()),
            audiences=" ".join(self.audiences or ()),
            not_before=self.not_before,
            max_idle=self.max_idle,
            environment=Environment(self.environment) if self.environment else None,
            calls_per_minute=self.calls_per_minute,
            calls_per_day=self.calls_per_day,
            note=clean_note(self.note or ""),
        )


class Rotation(Request):
    """For how long the old key shall work beside its successor."""

    overlap: Annotated[Literal[0, 3600, 86_400, 604_800], Whole] = Field(
        default=0, description="Seconds; they are cut to the expiry of the old key."
    )
    codes: ClassVar = {"overlap": "overlapInvalid"}


class KeyListQuery(Request):
    """Which of the keys are listed."""

    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_digits)] = Field(
        default=50, description="How many keys at most."
    )
    cursor: Annotated[UUID | None, BeforeValidator(_key_id), WithJsonSchema(KEY_ID)] = Field(
        default=None, description="What the answer before this one named as next."
    )
    status: Annotated[KeyStatus | None, WithJsonSchema(STATUS)] = Field(
        default=None, description="Without it, every key that is not revoked."
    )


class ApiKeyFacts(Wire):
    """A key, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    key: UUID = Field(validation_alias="id")
    level: LevelNumber
    name: str
    created_at: Time
    expires_at: Time
    user_id: int = Field(validation_alias="account_id")


class BoundKeyFacts(ApiKeyFacts):
    """A key and what it is bound to, without the private note; below level 4 nothing more is told."""

    kind: Literal["account", "service"]
    environment: Literal["live", "test"] | None
    networks: Words = Field(description="Where it may be used from; with ! where it may not.")
    audiences: Words = Field(description="Services that it is good for; empty where for all.")
    not_before: Time | None
    max_idle: int | None = Field(description="Seconds without use after which it ends.")
    calls_per_minute: int | None
    calls_per_day: int | None
    replaces: UUID | None = Field(
        validation_alias="replaces_id", description="The key whose place it has taken."
    )
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


def new_key_facts(key: ApiKey, secret: str) -> NewApiKeyFacts:
    """What is told of a key in the one answer that holds its secret."""
    return NewApiKeyFacts.model_validate({**dict(OwnKeyFacts.model_validate(key)), "secret": secret})
