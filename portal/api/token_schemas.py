"""Tokens as they go over the wire: what is asked of them (RFC 7662, RFC 7009), and what is told."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, FailFast, Field, GetPydanticSchema, RootModel
from pydantic_core.core_schema import no_info_plain_validator_function, str_schema

from portal.api.schemas import LevelNumber, Request, RoleName, Success, Wire
from portal.http.proxy import canonical_ip_address
from portal.services.core.errors import InvalidInput
from portal.services.verify.doorkeeper import Credentials

LONGEST_TOKEN = 512
MOST_TOKENS = 100
"""That one request introspects."""


def read_token(text: Any) -> Credentials:
    """What a token shows: a secret, or key, colon, secret. Raises InvalidInput."""
    if not isinstance(text, str) or not text or len(text) > LONGEST_TOKEN:
        raise InvalidInput("tokenMissing" if not text else "fieldInvalid", "token")
    key_id, colon, secret = text.partition(":")
    return Credentials(key_id, secret) if colon else Credentials(None, text)


def read_ip_address(text: Any) -> str | None:
    """Where the user of a token comes from; None for an empty text. Raises InvalidInput."""
    if text is None or text == "":
        return None
    address = canonical_ip_address(text) if isinstance(text, str) else ""
    if not address:
        raise InvalidInput("fieldInvalid", "address")
    return address


def _with_names(given: Any) -> Any:
    """A token of many, which may stand there without its name."""
    return given if isinstance(given, dict) else {"token": given}


def _not_too_many(given: Any) -> Any:
    if isinstance(given, list) and len(given) > MOST_TOKENS:
        raise InvalidInput("fieldInvalid", "tokens")
    return given


TOKEN = no_info_plain_validator_function(read_token, json_schema_input_schema=str_schema())
Shown = Annotated[Credentials, GetPydanticSchema(lambda *_: TOKEN)]
Address = Annotated[str | None, BeforeValidator(read_ip_address)]


class Token(Request):
    """One token, as RFC 7662 and RFC 7009 have it: a secret, or key, colon, secret."""

    model_config = ConfigDict(alias_generator=None)

    token: Shown = Field(repr=False, description="The secret; or key, colon, secret.")
    token_type_hint: str | None = Field(default=None, description="Not needed, and not looked at.")
    client_id: str | None = Field(default=None, description="The key that asks, where no header shows it.")
    client_secret: str | None = Field(default=None, repr=False, description="Its secret.")


class IntrospectedToken(Token):
    """One token, and where its user comes from."""

    address: Address = Field(
        default=None,
        description="The address of the user; a key that is bound to networks is active only with it.",
    )


class TokenOfMany(Request):
    """One token of many, and where its user comes from."""

    token: Shown = Field(repr=False)
    address: Address = None


class Tokens(Request):
    """Up to 100 tokens."""

    tokens: Annotated[
        list[Annotated[TokenOfMany, BeforeValidator(_with_names, json_schema_input_type=str | TokenOfMany)]],
        FailFast(),
        BeforeValidator(_not_too_many),
        Field(min_length=1, max_length=MOST_TOKENS),
    ] = Field(repr=False, description="Secrets, or objects with token and address.")
    codes: ClassVar = {"tokens.missing": "fieldInvalid"}


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
