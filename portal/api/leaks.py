"""Leaked secrets: reported by anybody, and by GitHub's secret scanning.

A stranger is told nothing: neither status nor body depend on what was found. GitHub is told
which of its matches were ours, in an answer that only a good signature brings.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable

from portal.api import body
from portal.api.answers import answer
from portal.api.auth import actor
from portal.api.leak_schemas import GithubReport, GithubReports, GithubVerdict, GithubVerdicts, LeakReport
from portal.api.schemas import Success
from portal.extensions import settings
from portal.http import client_ip_address
from portal.http.limited import refuse_when_limited
from portal.services.abuse import leaks
from portal.services.abuse.github_signatures import EVERY, KeysUnavailable, has_signed
from portal.services.abuse.leaks import Leak, Reporter
from portal.services.core.errors import InvalidInput, NotFound
from portal.services.ratelimits import questions

IDENTIFIER, SIGNATURE = "Github-Public-Key-Identifier", "Github-Public-Key-Signature"


def report() -> ResponseReturnValue:
    """Take a stranger's report."""
    told = body.read(LeakReport)
    refuse_when_limited(questions.may_report_leaks(client_ip_address()))
    leaks.report(actor(), [Leak(each, told.url or "") for each in told.secrets], Reporter.API)
    return answer(Success(), 202)


def receive() -> ResponseReturnValue:
    """Take GitHub's report. The signature is checked over the raw bytes, before they are read.

    Each entry is read by itself: one that can't be is left out, and the key that leaked beside
    it ends.
    """
    matches = _matches(body.parse_loosely(_signed_body()))
    found = leaks.report(actor(), [Leak(each.token, _place(each)) for each in matches], Reporter.GITHUB)
    return answer(GithubVerdicts([_verdict(each, found) for each in matches]))


def _signed_body() -> bytes:
    """The body, if GitHub has signed it. Raises NotFound where it is not taken, or not signed."""
    identifier, signature = request.headers.get(IDENTIFIER), request.headers.get(SIGNATURE)
    if not settings.github_keys or not identifier or not signature:
        raise NotFound
    data = request.get_data(cache=False)
    try:
        is_signed = has_signed(settings.github_keys, data, identifier, signature)
    except KeysUnavailable as error:
        raise ServiceUnavailable(retry_after=EVERY.seconds) from error
    if not is_signed:
        refuse_when_limited(questions.count_failed_signature(client_ip_address()))
        raise InvalidInput("signatureInvalid", "")
    return data


def _matches(found: Any) -> list[GithubReport]:
    if not isinstance(found, list):
        raise InvalidInput("bodyNotJson", "")
    readable = GithubReports.model_validate(found).root
    if found and not readable:
        raise InvalidInput("fieldInvalid", "token")
    return readable


def _place(match: GithubReport) -> str:
    return " ".join(part for part in (match.url, f"({match.source})" if match.source else "") if part)


def _verdict(match: GithubReport, found: frozenset[str]) -> GithubVerdict:
    return GithubVerdict(
        token_hash=sha256(match.token.encode()).hexdigest(),
        token_type=match.type,
        label="true_positive" if leaks.unwrap(match.token) in found else "false_positive",
    )
