"""Why a key is let in or not: the checks of the doorkeeper in their order, and what each would say.

The doorkeeper's own decision is asked, again and again: once as things are, and once for each check
with everything before it put right. So an explanation can't say anything else than the door, and
the door, which is asked thousands of times a second, pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from portal import clock
from portal.models import AccountStatus, Consent
from portal.permissions import HIGHEST_LEVEL
from portal.services.core.outcomes import Outcome
from portal.services.verify.doorkeeper import Known, outcome_at
from portal.services.verify.key_record import VerifiedKey
from portal.services.verify.verifier import Decision, outcome_of

NEVER = 2**62
"""Milliseconds since the epoch; no clock comes there."""


class Check(StrEnum):
    """What is looked at."""

    SECRET = "secret"  # noqa: S105  # the name of a check
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNUSED = "unused"
    ACCOUNT = "account"
    CONSENT = "consent"
    NOT_YET = "not-yet"
    ADDRESS = "address"
    LEVEL = "level"
    METHOD = "method"
    AUDIENCE = "audience"
    LIMITS = "limits"


class Question(NamedTuple):
    """A call that nobody makes: from where, at what door, and when.

    ``at_ms`` is None for now; which calls will be left at another moment nobody knows. The rest
    is as at :meth:`portal.services.verify.doorkeeper.Doorkeeper.admit`.
    """

    ip_address: str | None = None
    level: int = 0
    introspects: bool = False
    is_open: bool = True
    audience: str | None = None
    at_ms: int | None = None


class Checked(NamedTuple):
    """A check, and with what it refuses; ``is_known`` is False where nobody can say."""

    check: Check
    refused: Outcome | None = None
    is_known: bool = True


class Explanation(NamedTuple):
    """All checks in their order, also those behind the first that refuses; and the verdict."""

    verdict: Outcome
    checks: Sequence[Checked]
    known: Known
    question: Question
    at_ms: int

    @property
    def failed(self) -> Check | None:
        """The check that decides, if one refuses."""
        return next((each.check for each in self.checks if each.refused), None)


class _Case(NamedTuple):
    """What a decision is made of."""

    key: VerifiedKey
    level: int
    question: Question

    def with_key(self, **facts: Any) -> _Case:
        """The same with other facts of the key."""
        return self._replace(key=self.key._replace(**facts))

    def asking(self, **terms: Any) -> _Case:
        """The same with other terms of the door."""
        return self._replace(question=self.question._replace(**terms))

    def outcome(self, at_ms: int) -> Outcome:
        """What the doorkeeper says of it, but for the calls that are left."""
        ask = self.question
        decision = Decision(outcome_of(self.key, at_ms, ask.ip_address), self.level, self.key)
        return outcome_at(decision, self.key, ask.level, ask.introspects, ask.is_open, audience=ask.audience)


class _Row(NamedTuple):
    """With what a check refuses, and how what it looks at is put right."""

    refuses: frozenset[Outcome]
    put_right: Callable[[_Case], _Case]


def _row(put_right: Callable[[_Case], _Case], *refuses: Outcome) -> _Row:
    return _Row(frozenset(refuses), put_right)


CHECKS: Mapping[Check, _Row] = {
    Check.REVOKED: _row(lambda case: case.with_key(revoked_at=None, retires_at=None), Outcome.REVOKED),
    Check.EXPIRED: _row(lambda case: case.with_key(expires_at=NEVER), Outcome.EXPIRED),
    Check.UNUSED: _row(lambda case: case.with_key(max_idle=None), Outcome.EXPIRED),
    Check.ACCOUNT: _row(
        lambda case: case.with_key(status=AccountStatus.ACTIVE.value), Outcome.BLOCKED, Outcome.LOCKED
    ),
    Check.CONSENT: _row(
        lambda case: case.with_key(consent=Consent.PROCESSING.value), Outcome.CONSENT_LACKING
    ),
    Check.NOT_YET: _row(lambda case: case.with_key(not_before=None), Outcome.NOT_YET),
    Check.ADDRESS: _row(lambda case: case.with_key(networks=""), Outcome.ADDRESS),
    Check.LEVEL: _row(
        lambda case: case.asking(introspects=False)._replace(level=HIGHEST_LEVEL), Outcome.LEVEL
    ),
    Check.METHOD: _row(lambda case: case.asking(is_open=True), Outcome.METHOD),
    Check.AUDIENCE: _row(lambda case: case.asking(audience=None), Outcome.AUDIENCE),
}
"""The checks between the secret and the limits, in the order of the decision; a test holds it to that."""


def explain(known: Known, question: Question) -> Explanation:
    """What the doorkeeper would say to whoever holds the secret, and each of its checks."""
    at_ms = clock.now_ms() if question.at_ms is None else question.at_ms
    case = _Case(known.key, known.level, question)
    checks = [Checked(Check.SECRET, None if known.has_pepper else Outcome.UNKNOWN)]
    checks += _between(case, at_ms)
    checks.append(_limits(known, question))
    if not known.has_pepper:
        verdict = Outcome.UNKNOWN
    else:
        verdict = case.outcome(at_ms)
        if verdict is Outcome.GOOD:
            verdict = checks[-1].refused or verdict
    return Explanation(verdict, checks, known, question, at_ms)


def _between(case: _Case, at_ms: int) -> list[Checked]:
    """Each check with all before it put right, so that it comes first."""
    found = []
    for check, row in CHECKS.items():
        # Both refuse with the same word, so the second is put right when the first is asked.
        alone = CHECKS[Check.UNUSED].put_right(case) if check is Check.EXPIRED else case
        outcome = alone.outcome(at_ms)
        found.append(Checked(check, outcome if outcome in row.refuses else None))
        case = row.put_right(case)
    return found


def _limits(known: Known, question: Question) -> Checked:
    if known.key.is_service:
        return Checked(Check.LIMITS)
    may_call = known.may_call if question.at_ms is None else None
    return Checked(
        Check.LIMITS, Outcome.THROTTLED if may_call is False else None, is_known=may_call is not None
    )
