"""What goes over the wire: names in camelCase, times in UTC as ISO 8601 with Z."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SkipValidation,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticKnownError

from portal import clock
from portal.models import LANGUAGES
from portal.permissions import HIGHEST_LEVEL, Role
from portal.services.accounts.fields import BIO_LENGTH

Time = Annotated[
    datetime,
    PlainSerializer(clock.iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T19:00:00.000Z"]}),
]
Language = Annotated[str, WithJsonSchema({"type": "string", "enum": list(LANGUAGES)})]
RoleName = Annotated[str, WithJsonSchema({"type": "string", "enum": [role.value for role in Role]})]
LevelNumber = Annotated[int, Field(ge=0, le=HIGHEST_LEVEL)]


class Wire(BaseModel):
    """The base of everything that is sent or received."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True, defer_build=True
    )


class Request(Wire):
    """The base of what is received. Fields that nobody asked for are ignored; null is as good as nothing.

    Fields stand in the order in which their faults are told. What the services check is described
    here, and read as it comes.
    """

    model_config = ConfigDict(populate_by_name=False)
    codes: ClassVar[Mapping[str, str]] = {}
    """What is told of a field's fault where it is not ``fieldInvalid``, or of one kind of its faults."""

    @model_validator(mode="before")
    @classmethod
    def _drop_null(cls, found: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in found.items() if value is not None}


def whole(value: Any) -> Any:
    """A whole number as one, also when it is written as 3.0; a text is no number, and true is none."""
    if isinstance(value, bool | str):
        raise PydanticKnownError("int_type")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number_as_text(value: Any) -> Any:
    return value if isinstance(value, bool) or not isinstance(value, int | float) else str(whole(value))


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticKnownError("missing")
    return text


Whole = BeforeValidator(whole)
NotBlank = AfterValidator(_not_blank)
Username = Annotated[str, WithJsonSchema({"type": "string", "minLength": 2, "maxLength": 40})]
Bio = Annotated[str, WithJsonSchema({"type": "string", "maxLength": BIO_LENGTH})]


class SignUp(Request):
    """An address, and the language to write to it in."""

    email: Annotated[str, NotBlank] = Field(
        examples=["alice@example.org"], json_schema_extra={"format": "email"}
    )
    language: Annotated[Language, NotBlank]


class Confirmation(Request):
    """The consent that an account begins with: 1 processing, 2 open data too."""

    consent: Annotated[Literal[0, 1, 2], Whole, WithJsonSchema({"type": "integer", "enum": [1, 2]})]
    codes: ClassVar = {"consent": "consentRequired", "consent.missing": "consentRequired"}


class SignIn(Request):
    """Name, address or number in any case; password; the code of a second factor, if there is one."""

    username: Annotated[str, NotBlank, BeforeValidator(_number_as_text, json_schema_input_type=str | int)] = (
        Field(examples=["alice"])
    )
    password: Annotated[str, NotBlank] = Field(repr=False)
    token: SkipValidation[str | None] = Field(default=None, repr=False)


class AccountChanges(Request):
    """What of the account shall change. What is not given stays."""

    username: Username | None = None
    bio: Bio | None = None
    language: Language | None = None
    consent: Annotated[Literal[0, 1, 2], Whole] | None = Field(
        default=None, description="0 withdraws it and revokes every key."
    )
    codes: ClassVar = {"consent": "consentRequired"}


class Name(Request):
    """A name that somebody might want."""

    model_config = ConfigDict(json_schema_extra={"required": ["username"]})

    username: Username = Field(default_factory=str, examples=["alice"])


class OwnAccountChanges(AccountChanges):
    """What of the account shall change, with a JWT: address and password too."""

    email: str | None = Field(
        default=None,
        description="The new address. It counts once the mail to it is answered; the old one is told.",
        json_schema_extra={"format": "email"},
    )
    password: str | None = Field(default=None, repr=False)
    current_password: str | None = Field(
        default=None,
        repr=False,
        description="Asked for with email and password, when there is a password already.",
    )


class AccountFacts(Wire):
    """An account, as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    lusername: str
    email: Annotated[str, BeforeValidator(lambda email: email or "")]
    bio: str
    role: RoleName
    status: Literal[1, 0, -1, -2] = Field(description="1 active, 0 inactive, -1 locked, -2 blocked.")
    consent: Literal[0, 1, 2]
    language: Language
    mfa_enabled: bool
    created_at: Time
    updated_at: Time
    last_seen: Time | None = Field(validation_alias="last_seen_at")


class Success(Wire):
    """The base of good answers."""

    result: Literal["success"] = "success"


class SignUpAnswer(Success):
    """The same for a taken address; the mail tells the difference."""

    email: str


class AccountAnswer(Success):
    """One account."""

    account: AccountFacts


class NameAnswer(Success):
    """A name that nobody can take: somebody has it, or it reads like an office."""

    available: Literal[False] = False
    username: str


class SignedInAnswer(AccountAnswer):
    """A JWT, to be sent as ``Authorization: Bearer``, and whose it is."""

    token: str = Field(repr=False)


class ErrorAnswer(Wire):
    """What went wrong: a code for programs, a sentence for people, an id to ask about."""

    result: Literal["error"] = "error"
    error: str = Field(description="At introspection and revocation it is a word of RFC 6749 (5.2).")
    message: str
    request_id: str
    code: str | None = Field(None, description="At introspection and revocation, what error is elsewhere.")
    error_description: str | None = Field(
        None, alias="error_description", description="The message again, for clients of OAuth."
    )
