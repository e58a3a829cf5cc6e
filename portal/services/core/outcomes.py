"""What a door can say of a key."""

from __future__ import annotations

from enum import StrEnum

NO_LEVEL = -1
"""Below every level that a door asks for: what a service key has."""


class Outcome(StrEnum):
    """What the decision is. All but ``GOOD`` and ``UNKNOWN`` are told only to a holder.

    The last four are said at a door, which knows its level and its terms, and counts.
    """

    GOOD = "good"
    UNKNOWN = "authenticationFailed"
    NOT_YET = "apikeyNotYetValid"
    ADDRESS = "addressNotAllowed"
    EXPIRED = "apikeyExpired"
    REVOKED = "apikeyRevoked"
    BLOCKED = "accountBlocked"
    LOCKED = "accountLocked"
    CONSENT_LACKING = "consentLacking"
    LEVEL = "insufficientAccessLevel"
    AUDIENCE = "audienceNotAllowed"
    METHOD = "methodNotPermitted"
    THROTTLED = "tooManyRequests"


KEPT_OUT = frozenset({Outcome.NOT_YET, Outcome.ADDRESS, Outcome.LEVEL, Outcome.THROTTLED})
"""What keeps out a key that lives, and yet not from ending itself."""


class ShownAt(StrEnum):
    """Where a key is shown, or is asked about."""

    API = "api"
    FORWARD_AUTH = "authorize"
    INTROSPECTION = "introspect"
    METRICS = "metrics"
