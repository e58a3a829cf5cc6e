"""What the doors answer, and how a check says that it is not right."""

from __future__ import annotations

from werkzeug.test import TestResponse

GOOD = "good"
UNKNOWN, EXPIRED, REVOKED = "authenticationFailed", "apikeyExpired", "apikeyRevoked"
LEVEL = "insufficientAccessLevel"


class Broken(Exception):
    """A promise does not hold; the message says what was seen."""


def hold(condition: object, seen: str) -> None:
    """Raise Broken, with what was seen, unless the condition is true."""
    if not condition:
        raise Broken(seen)


def hold_answer(told: object, expected: object, who: str) -> None:
    """Raise Broken unless somebody was answered as is right."""
    hold(told == expected, f"{who} was answered with {told}")


def code(answer: TestResponse) -> str:
    """What an answer of the API says: ``good``, or the code of its refusal."""
    if answer.status_code < 300:
        return GOOD
    told = answer.get_json(silent=True)
    return str(told.get("code", told.get("error"))) if isinstance(told, dict) else str(answer.status_code)
