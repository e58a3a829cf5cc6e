"""What goes over the wire about leaks. GitHub's own names are as GitHub writes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, OnErrorOmit, PlainValidator, RootModel, model_validator
from pydantic_core import PydanticKnownError

from portal.api.schemas import Request
from portal.services.abuse.leaks import MOST_SECRETS
from portal.services.core.errors import InvalidInput


def _secrets(given: Any) -> list[str]:
    """The texts among what is given, one at least; what is none is passed over."""
    if given == []:
        raise PydanticKnownError("missing")
    texts = [each for each in given if isinstance(each, str)] if isinstance(given, list) else []
    if not texts:
        raise InvalidInput("fieldInvalid", "secrets")
    if len(given) > MOST_SECRETS:
        raise InvalidInput("secretsTooMany", "secrets", maximum=MOST_SECRETS)
    return texts


Secrets = Annotated[list[str], Field(min_length=1, max_length=MOST_SECRETS)]


class LeakReport(Request):
    """Secrets that were found where they should not be, and where that was."""

    secrets: Annotated[list[str], PlainValidator(_secrets, json_schema_input_type=Secrets)] = Field(
        repr=False
    )
    url: str | None = None


class GithubReport(BaseModel):
    """One match of GitHub's secret scanning."""

    token: str = Field(repr=False)
    type: str = ""
    url: str | None = None
    source: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _writable_texts(cls, found: Any) -> Any:
        """What is text in it, without half a pair of surrogates, which UTF-8 can't write."""
        if not isinstance(found, dict):
            return found
        texts = {name: value for name, value in found.items() if isinstance(value, str)}
        return {name: text.encode("utf-8", "replace").decode() for name, text in texts.items()}


class GithubReports(RootModel[list[OnErrorOmit[GithubReport]]]):
    """What GitHub sends at once."""


class GithubVerdict(BaseModel):
    """Whether a match is a secret of ours; its hash is the SHA-256 of the token, in hex."""

    token_hash: str
    token_type: str
    label: Literal["true_positive", "false_positive"]


class GithubVerdicts(RootModel[list[GithubVerdict]]):
    """The verdict about each match, in the order in which they came."""
