"""Leaked secrets: reported by anybody, and by GitHub's secret scanning.

A stranger is told nothing: neither status nor body depend on what was found. GitHub is told
which of its matches were ours, in an answer that only a good signature brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from flask import current_app, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.exceptions import ServiceUnavailable

from portal.api import body
from portal.api.answers import answer
from portal.api.auth import actor
from portal.api.leak_schemas import GithubReport, GithubReports, GithubVerdict, GithubVerdicts
from portal.api.schemas import Success
from portal.http import client_address
from portal.http.limited import refuse_when_limited
from portal.services import leaks, limits
from portal.services.errors import InvalidInput, NotFound
from portal.services.github_signatures import PAUSE_MS, KeysUnavailable, SigningKeys
from portal.services.leaks import MOST_SECRETS, Leak, Reporter

IDENTIFIER, SIGNATURE = "Github-Public-Key-Identifier", "Github-Public-Key-Signature"


def report() -> ResponseReturnValue:
    """Take a stranger's report."""
    found = body.read_object()
    given, url = _secrets(found), body.text(found, "url") or ""
    refuse_when_limited(limits.may_report_leaks(client_address()))
    leaks.report(actor(), [Leak(each, url) for each in given], Reporter.API)
    return answer(Success(), 202)


def receive() -> ResponseReturnValue:
    """Take GitHub's report. The signature is checked over the raw bytes, before they are read."""
    data = _signed_body(current_app.extensions["github"])
    matches = _matches(body.parse(data))
    found = leaks.report(actor(), [Leak(each.token, _place(each)) for each in matches], Reporter.GITHUB)
    return answer(GithubVerdicts([_verdict(each, found) for each in matches]))


def _secrets(found: dict[str, Any]) -> Sequence[str]:
    given = found.get("secrets")
    if given is None or given == []:
        raise InvalidInput("secretsMissing", "secrets")
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidInput("fieldInvalid", "secrets")
    if len(given) > MOST_SECRETS:
        raise InvalidInput("secretsTooMany", "secrets", maximum=MOST_SECRETS)
    return given


def _signed_body(keys: SigningKeys | None) -> bytes:
    """The body, if GitHub has signed it. Raises NotFound where it is not taken, or not signed."""
    identifier, signature = request.headers.get(IDENTIFIER), request.headers.get(SIGNATURE)
    if keys is None or not identifier or not signature:
        raise NotFound
    data = request.get_data(cache=False)
    try:
        is_signed = keys.has_signed(data, identifier, signature)
    except KeysUnavailable as error:
        raise ServiceUnavailable(retry_after=PAUSE_MS // 1000) from error
    if not is_signed:
        refuse_when_limited(limits.failed_signature(client_address()))
        raise InvalidInput("signatureInvalid", "")
    return data


def _matches(found: Any) -> list[GithubReport]:
    if not isinstance(found, list):
        raise InvalidInput("bodyNotJson", "")
    try:
        return GithubReports.model_validate(found).root
    except ValidationError:
        raise InvalidInput("fieldInvalid", "token") from None


def _place(match: GithubReport) -> str:
    return " ".join(part for part in (match.url, f"({match.source})" if match.source else "") if part)


def _verdict(match: GithubReport, found: frozenset[str]) -> GithubVerdict:
    return GithubVerdict(
        token_hash=sha256(match.token.encode()).hexdigest(),
        token_type=match.type,
        label="true_positive" if leaks.unwrap(match.token) in found else "false_positive",
    )
