"""Words for what the database keeps as a value, for pages and mails."""

from __future__ import annotations

from portal.models import AccountStatus, Action, ActorKind, RevocationReason
from portal.permissions import N_, Role

REASONS: dict[str, str] = {
    RevocationReason.OWNER: N_("by you"),
    RevocationReason.REPLACED: N_("rotated"),
    RevocationReason.ROLE_LOWERED: N_("role lowered"),
    RevocationReason.BLOCKED: N_("account blocked"),
    RevocationReason.LOCKED: N_("account locked"),
    RevocationReason.CONSENT_WITHDRAWN: N_("consent withdrawn"),
    RevocationReason.ACCOUNT_REMOVED: N_("account removed"),
    RevocationReason.EXCESSIVE: N_("excessive usage"),
    RevocationReason.OPERATOR: N_("by an operator"),
    RevocationReason.LEAKED: N_("secret leaked"),
}
"""Why a key was revoked, behind the word 'revoked'."""

REFUSALS: dict[str, str] = {
    "apikeyExpired": N_("Key expired"),
    "apikeyRevoked": N_("Key revoked or rotated"),
    "apikeyNotYetValid": N_("Key not yet valid"),
    "addressNotAllowed": N_("Address not allowed"),
    "audienceNotAllowed": N_("Service not allowed"),
    "insufficientAccessLevel": N_("Level too low"),
    "methodNotPermitted": N_("Method not allowed"),
    "tooManyRequests": N_("Above a rate limit"),
    "accountBlocked": N_("Account blocked"),
    "accountLocked": N_("Account locked"),
    "consentLacking": N_("Consent missing"),
    "": N_("Reason not recorded"),
}
"""Why a call with the right secret was refused, by the code that it got."""

DOORS: dict[str, str] = {
    "api": N_("at the API"),
    "authorize": N_("at a gateway"),
    "introspect": N_("by introspection"),
    "metrics": N_("at the metrics"),
}
"""Where a key was shown, or was asked about."""

ROLES: dict[Role, str] = {
    Role.USER: N_("User"),
    Role.TESTER: N_("Tester"),
    Role.CURATOR: N_("Curator"),
    Role.BUGHUNTER: N_("Bug hunter"),
    Role.SUPPORT: N_("Support"),
    Role.ADMIN: N_("Admin"),
}

STATUSES: dict[AccountStatus, str] = {
    AccountStatus.ACTIVE: N_("Active"),
    AccountStatus.INACTIVE: N_("Not confirmed"),
    AccountStatus.LOCKED: N_("Locked"),
    AccountStatus.BLOCKED: N_("Blocked"),
}

ACTOR_KINDS: dict[ActorKind, str] = {
    ActorKind.ANONYMOUS: N_("not signed in"),
    ActorKind.BROWSER: N_("in the browser"),
    ActorKind.JWT: N_("with a token"),
    ActorKind.KEY: N_("with a key"),
    ActorKind.COMMAND_LINE: N_("on the command line"),
    ActorKind.SYSTEM: N_("by the portal"),
}
"""Through what somebody acted."""

CREATED_THROUGH: dict[ActorKind, str] = {
    ActorKind.BROWSER: N_("The browser"),
    ActorKind.JWT: N_("An API token (JWT)"),
    ActorKind.COMMAND_LINE: N_("The command line"),
}
"""Through what a key was created, if not with a key."""

REPORTERS: dict[str, str] = {
    "page": N_("reported on the leaks page"),
    "api": N_("reported through the API"),
    "github": N_("reported by GitHub"),
}
"""Through what a leak was reported."""

ACTIONS: dict[Action, str] = {
    Action.ACCOUNT_SIGN_UP_REQUESTED: N_("Sign-up requested"),
    Action.ACCOUNT_CREATED: N_("Account created"),
    Action.ACCOUNT_CONFIRMED: N_("Email confirmed"),
    Action.ACCOUNT_UPDATED: N_("Profile changed"),
    Action.ACCOUNT_EMAIL_CHANGE_REQUESTED: N_("Email change requested"),
    Action.ACCOUNT_EMAIL_CHANGE_CANCELLED: N_("Email change cancelled"),
    Action.ACCOUNT_EMAIL_CHANGED: N_("Email changed"),
    Action.ACCOUNT_LOCKED: N_("Account locked by its owner"),
    Action.ACCOUNT_UNLOCKED: N_("Account unlocked by its owner"),
    Action.ACCOUNT_UNLOCK_REQUESTED: N_("Unlock link requested"),
    Action.ACCOUNT_LINK_MAILED: N_("Link emailed to the owner"),
    Action.ACCOUNT_BLOCKED: N_("Account blocked"),
    Action.ACCOUNT_UNBLOCKED: N_("Account unblocked"),
    Action.ACCOUNT_REMOVED: N_("Account removed"),
    Action.ACCOUNT_ROLE_CHANGED: N_("Role changed"),
    Action.ACCOUNT_READ: N_("Account viewed by an operator"),
    Action.ACCOUNTS_SEARCHED: N_("Accounts searched by an operator"),
    Action.KEY_READ: N_("Key viewed by an operator"),
    Action.KEYS_SEARCHED: N_("Keys searched by an operator"),
    Action.AUDIT_LOG_READ: N_("Audit log viewed by an operator"),
    Action.MAIL_REFUSED: N_("Email not delivered"),
    Action.CLOCK_PUT_BACK: N_("Clock set back"),
    Action.DEMO_FILLED: N_("Demo data added"),
    Action.AUDIT_LOG_ENDED: N_("Old audit log entries removed"),
    Action.USAGE_READ: N_("Usage of all keys viewed by an operator"),
    Action.CONSENT_GIVEN: N_("Consent given"),
    Action.CONSENT_ENTERED: N_("Consent recorded by an operator"),
    Action.CONSENT_WITHDRAWN: N_("Consent withdrawn"),
    Action.PASSWORD_CHANGED: N_("Password changed"),
    Action.PASSWORD_RESET_REQUESTED: N_("Password reset requested"),
    Action.PASSWORD_RESET: N_("Password reset"),
    Action.SESSION_STARTED: N_("Signed in"),
    Action.SESSION_REFUSED: N_("Sign-in refused"),
    Action.SESSION_ENDED: N_("Session ended"),
    Action.SESSIONS_ENDED: N_("Sessions ended"),
    Action.KEY_CREATED: N_("Key created"),
    Action.KEY_ROTATED: N_("Key rotated"),
    Action.KEY_REUSED: N_("Old secret used"),
    Action.KEY_REVOKED: N_("Key revoked"),
    Action.KEYS_REVOKED: N_("All keys revoked"),
    Action.EXCESS_WARNED: N_("Rate limit warning sent"),
    Action.EXCESS_THROTTLED: N_("Calls above a rate limit refused"),
    Action.EXCESS_REVOKED: N_("Keys revoked for excessive usage"),
}
"""What was done, for the activity of an owner and the audit log."""
