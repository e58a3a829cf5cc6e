"""What goes over the wire: names in camelCase, times in UTC as ISO 8601 with Z."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, RootModel, WithJsonSchema
from pydantic.alias_generators import to_camel

from portal import clock
from portal.models import LANGUAGES, Account
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


MOST_TOKENS = 100
"""That one request introspects."""


class Wire(BaseModel):
    """The base of everything that is sent or received."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True, defer_build=True
    )


class Request(Wire):
    """The base of what is received. Fields that nobody asked for are ignored."""


class SignUp(Request):
    """An address, and the language to write to it in."""

    email: str = Field(examples=["alice@example.org"], json_schema_extra={"format": "email"})
    language: Language


class Confirmation(Request):
    """The consent that an account begins with: 1 processing, 2 open data too."""

    consent: Literal[1, 2]


class SignIn(Request):
    """Name, address or number in any case; password; the code of a second factor, if there is one."""

    username: str | int = Field(examples=["alice"])
    password: str = Field(repr=False)
    token: str | None = Field(default=None, repr=False)


class AccountChanges(Request):
    """What of the account shall change. What is not given stays."""

    username: str | None = Field(default=None, min_length=2, max_length=40)
    bio: str | None = Field(default=None, max_length=BIO_LENGTH)
    language: Language | None = None
    consent: Literal[0, 1, 2] | None = Field(
        default=None, description="0 withdraws it and revokes every key."
    )


class Name(Request):
    """A name that somebody might want."""

    username: str = Field(min_length=2, max_length=40, examples=["alice"])


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


class Token(Request):
    """One token, as RFC 7662 and RFC 7009 have it: a secret, or key, colon, secret."""

    model_config = ConfigDict(alias_generator=None)

    token: str = Field(repr=False, description="The secret; or key, colon, secret.")
    token_type_hint: str | None = Field(default=None, description="Not needed, and not looked at.")
    client_id: str | None = Field(default=None, description="The key that asks, where no header shows it.")
    client_secret: str | None = Field(default=None, repr=False, description="Its secret.")


class IntrospectedToken(Token):
    """One token, and where its user comes from."""

    address: str | None = Field(
        default=None,
        description="The address of the user; a key that is bound to networks is active only with it.",
    )


class TokenOfMany(Request):
    """One token of many, and where its user comes from."""

    token: str = Field(repr=False)
    address: str | None = None


class Tokens(Request):
    """Up to 100 tokens."""

    tokens: list[str | TokenOfMany] = Field(
        min_length=1,
        max_length=MOST_TOKENS,
        repr=False,
        description="Secrets, or objects with token and address.",
    )


class AccountFacts(Wire):
    """An account, as its owner sees it."""

    id: int
    username: str
    lusername: str
    email: str
    bio: str
    role: RoleName
    status: Literal[1, 0, -1, -2] = Field(description="1 active, 0 inactive, -1 locked, -2 blocked.")
    consent: Literal[0, 1, 2]
    language: Language
    mfa_enabled: bool
    created_at: Time
    updated_at: Time
    last_seen: Time | None


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


class ActiveAnswer(Wire):
    """A token that is good now (RFC 7662, 2.2)."""

    model_config = ConfigDict(alias_generator=None)

    active: Literal[True] = True
    sub: str = Field(description="The number of the account.")
    username: str
    client_id: UUID = Field(description="The key.")
    scope: str = Field(examples=["level:0 level:1 level:2"], description="Every level that the key holds.")
    level: LevelNumber = Field(description="The one that counts now.")
    role: RoleName
    iss: str = Field(description="The address of the portal.")
    aud: str | list[str] | None = Field(
        None, description="The service in whose name was asked; else those that the key is bound to."
    )
    iat: int = Field(description="When the key was made, in seconds since 1970.")
    nbf: int | None = Field(None, description="When the key begins, where that was set.")
    exp: int = Field(description="When the key ends as things stand, in seconds since 1970.")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  # the word of RFC 6749


class InactiveAnswer(Wire):
    """A token that opens nothing; why is not told."""

    active: Literal[False] = False


class IntrospectionAnswer(RootModel[ActiveAnswer | InactiveAnswer]):
    """What is told of one token."""


class IntrospectedAnswer(Success):
    """What is told of each token, in their order."""

    tokens: list[ActiveAnswer | InactiveAnswer]


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


def account_facts(account: Account) -> AccountFacts:
    """What an owner sees of an account: these fields and no others."""
    return AccountFacts.model_validate(
        {
            "id": account.id,
            "username": account.username,
            "lusername": account.lusername,
            "email": account.email or "",
            "bio": account.bio,
            "role": account.role.value,
            "status": account.status.value,
            "consent": account.consent.value,
            "language": account.language,
            "mfa_enabled": account.mfa_enabled,
            "created_at": account.created_at,
            "updated_at": account.updated_at,
            "last_seen": account.last_seen_at,
        }
    )
