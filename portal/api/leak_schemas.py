"""What goes over the wire about leaks. GitHub's own names are as GitHub writes them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, RootModel

from portal.api.schemas import Request
from portal.services.abuse.leaks import MOST_SECRETS


class LeakReport(Request):
    """Secrets that were found where they should not be, and where that was."""

    secrets: list[str] = Field(min_length=1, max_length=MOST_SECRETS, repr=False)
    url: str | None = None


class GithubReport(BaseModel):
    """One match of GitHub's secret scanning."""

    token: str = Field(repr=False)
    type: str = ""
    url: str | None = None
    source: str | None = None


class GithubReports(RootModel[list[GithubReport]]):
    """What GitHub sends at once."""


class GithubVerdict(BaseModel):
    """Whether a match is a secret of ours; its hash is the SHA-256 of the token, in hex."""

    token_hash: str
    token_type: str
    label: Literal["true_positive", "false_positive"]


class GithubVerdicts(RootModel[list[GithubVerdict]]):
    """The verdict about each match, in the order in which they came."""
