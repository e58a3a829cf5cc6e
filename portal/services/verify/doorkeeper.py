"""The check at every door: decide, hold the level, take a call out of the limit, and count.

Doors read the credentials and put the answer into words; whether a key is let in, and that
it is counted once, is said here and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from portal import clock
from portal.permissions import READ_OTHERS
from portal.services.calls.leases import UNLIMITED
from portal.services.calls.limits import CallLimits
from portal.services.core.outcomes import KEPT_OUT, NO_LEVEL, Outcome, ShownAt
from portal.services.core.trouble import words_of
from portal.services.keys import audiences
from portal.services.usage.collector import UsageCollector
from portal.services.usage.refusals import UNKNOWN_HOW, Circumstances
from portal.services.verify.key_record import VerifiedKey
from portal.services.verify.verifier import Decision, Verifier, level_of


class Credentials(NamedTuple):
    """What a caller shows: a secret, and its key unless the tool knows nothing of ids."""

    key_id: str | None
    secret: str

    def __repr__(self) -> str:
        return f"<Credentials {self.key_id}>"


class Admission(NamedTuple):
    """The answer at a door; ``key`` is there for whoever holds the secret.

    ``retry_after`` is in seconds; ``headers`` tell what is left of the limits.
    """

    outcome: Outcome
    level: int = NO_LEVEL
    key: VerifiedKey | None = None
    retry_after: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    how: Circumstances = UNKNOWN_HOW
    """Of a refusal."""

    @property
    def is_good(self) -> bool:
        """Whether to let the caller in."""
        return self.outcome is Outcome.GOOD


class Known(NamedTuple):
    """A key as the doorkeeper reads it, for explanations; nothing of a secret is in it.

    ``level`` is the one that counts. Without its pepper in the ring (``has_pepper``) no secret is
    the right one. ``may_call`` is whether a call would be within its limits now, None where nobody
    knows.
    """

    key: VerifiedKey
    level: int
    has_pepper: bool
    may_call: bool | None


Notice = Callable[[str, str | None], object]
"""Is told of a key, and of the address from where its rotated-out secret was used."""

log = logging.getLogger(__name__)

INTROSPECTING = "introspection"
"""Stands for the level of the door of services, which asks for a kind of key, too."""
STRANGER = Admission(Outcome.UNKNOWN)


class Doorkeeper:
    """Checks callers for one application; safe to share between threads."""

    def __init__(
        self, verifier: Verifier, usage: UsageCollector, call_limits: CallLimits, notice_reuse: Notice
    ) -> None:
        self._verifier = verifier
        self._usage = usage
        self._call_limits = call_limits
        self._notice_reuse = notice_reuse

    def admit(
        self,
        shown: Credentials | None,
        ip_address: str | None,
        *,
        level: int = 0,
        introspects: bool = False,
        is_open: bool = True,
        audience: str | None = None,
        shown_at: ShownAt = ShownAt.API,
        method: str = "",
        may_end: bool = False,
    ) -> Admission:
        """Check a caller who comes from ``ip_address`` to a door that asks for ``level``.

        ``introspects`` is the door of services: it opens to service keys, and else from level 6 on.
        A door that is not open to the caller's ``method`` (``is_open``) says so only to a good key,
        and takes no call from its limit. ``audience`` is in whose name is asked, if in anybody's: a
        key that is bound to others is refused. An unknown address (None) is let in only where every
        one is. ``may_end``: a living key that is kept out may still end itself here, so that the
        door says with :meth:`refuse` when it is not let in. Raises OperationalError when the
        database can't be read.
        """
        if shown is None:
            return STRANGER
        decision = self._decide(shown, ip_address)
        key = decision.key
        if key is None:
            return STRANGER
        outcome = outcome_at(decision, key, level, introspects, is_open, audience=audience)
        now = clock.now_ms()
        is_limited = outcome is Outcome.GOOD and not key.is_service
        allowance = self._call_limits.take(key, now) if is_limited else UNLIMITED
        if not allowance.allowed:
            outcome = Outcome.THROTTLED
        how = UNKNOWN_HOW
        if outcome is Outcome.GOOD:
            self._usage.note_call(key.id, ip_address or "", now)
        else:
            asked = _asked(outcome, level, introspects, method, audience)
            how = Circumstances(ip_address or "", shown_at, asked)
            self._refuse(key, outcome, now, how, may_end)
        return Admission(outcome, decision.level, key, allowance.retry_after, allowance.headers, how)

    def admit_again(
        self,
        shown: Credentials,
        ip_address: str | None,
        *,
        level: int = 0,
        introspects: bool = False,
        may_end: bool = False,
    ) -> Admission:
        """Check once more a caller who was let in, as things are now; it takes no call, and counts none.

        A refusal counts as at :meth:`admit`.
        """
        decision = self._decide(shown, ip_address)
        key = decision.key
        if key is None:
            return STRANGER
        outcome = outcome_at(decision, key, level, introspects, is_open=True)
        how = UNKNOWN_HOW
        if outcome is not Outcome.GOOD:
            how = Circumstances(ip_address or "", ShownAt.API, _asked(outcome, level, introspects))
            self._refuse(key, outcome, clock.now_ms(), how, may_end)
        return Admission(outcome, decision.level, key, how=how)

    def find_key(self, shown: Credentials) -> VerifiedKey | None:
        """The key whose secret is shown, in whatever state; it is not used, so nothing is counted."""
        return self._decide(shown, None).key

    def look_up(self, digest: bytes) -> Known | None:
        """What is known of the key with this digest; nothing is counted. None where there is none.

        Raises OperationalError when the database can't be read.
        """
        key, has_pepper = self._verifier.read(digest)
        if key is None:
            return None
        may_call = key.is_service or self._call_limits.would_take(key, clock.now_ms())
        return Known(key, level_of(key), has_pepper, may_call)

    def refuse(self, admission: Admission) -> None:
        """Count the refusal of a key that might have come in to end itself, and did not ask for that."""
        if admission.key is not None:
            self._usage.note_refusal(admission.key.id, clock.now_ms(), admission.outcome.value, admission.how)

    def _refuse(
        self, key: VerifiedKey, outcome: Outcome, now: int, how: Circumstances, may_end: bool
    ) -> None:
        """Count a refusal, unless it is not known yet to be one, and tell of a rotated-out secret."""
        if may_end and outcome in KEPT_OUT:
            return
        self._usage.note_refusal(key.id, now, outcome.value, how)
        if outcome is Outcome.REVOKED and key.retires_at is not None:
            self._tell_of_reuse(key.id, how.ip_address or None)

    def _tell_of_reuse(self, key_id: str, ip_address: str | None) -> None:
        """A refusal stays one, whether or not it can be written down."""
        try:
            self._notice_reuse(key_id, ip_address)
        except SQLAlchemyError as error:
            log.warning("the reuse of a rotated-out secret could not be recorded: %s", words_of(error))

    def _decide(self, shown: Credentials, ip_address: str | None) -> Decision:
        if shown.key_id is None:
            return self._verifier.decide_secret(shown.secret, ip_address)
        return self._verifier.decide(shown.key_id, shown.secret, ip_address)


def outcome_at(
    decision: Decision,
    key: VerifiedKey,
    level: int,
    introspects: bool,
    is_open: bool,
    *,
    audience: str | None = None,
) -> Outcome:
    """What a door that asks for this makes of the decision, but for the calls that are left."""
    if decision.outcome is not Outcome.GOOD:
        return decision.outcome
    if not _reaches(decision, key, level, introspects):
        return Outcome.LEVEL
    if not is_open:
        return Outcome.METHOD
    if audience and not audiences.allows(key.audiences, audience):
        return Outcome.AUDIENCE
    return Outcome.GOOD


def _asked(
    outcome: Outcome, level: int, introspects: bool, method: str = "", audience: str | None = None
) -> str:
    """What was asked for that the key does not have: it helps its owner to mend a refusal."""
    if outcome is Outcome.LEVEL:
        return INTROSPECTING if introspects else str(level)
    return {Outcome.METHOD: method, Outcome.AUDIENCE: audience or ""}.get(outcome, "")


def _reaches(decision: Decision, key: VerifiedKey, level: int, introspects: bool) -> bool:
    if introspects:
        return key.is_service or decision.level >= READ_OTHERS
    return decision.level >= level
