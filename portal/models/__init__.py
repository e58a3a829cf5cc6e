"""Tables, constraints and facts about one row."""

from portal.models.account import LANGUAGES, Account, Consent, Status
from portal.models.audit import Action, ActorKind, AuditEvent
from portal.models.excess import ExcessStep, PromiseProof, Step
from portal.models.key import (
    ApiKey,
    CallWindow,
    Environment,
    KeyAddress,
    KeyKind,
    KeyRefusal,
    KeyUsage,
    KeyUsageHour,
    Reason,
)
from portal.models.outbox import JobLease, LimitCounter, MailKind, OutboxMail
from portal.models.session import MailToken, Purpose, SessionKind, SignedSession

__all__ = [
    "LANGUAGES",
    "Account",
    "Action",
    "ActorKind",
    "ApiKey",
    "AuditEvent",
    "CallWindow",
    "Consent",
    "Environment",
    "ExcessStep",
    "JobLease",
    "KeyAddress",
    "KeyKind",
    "KeyRefusal",
    "KeyUsage",
    "KeyUsageHour",
    "LimitCounter",
    "MailKind",
    "MailToken",
    "OutboxMail",
    "PromiseProof",
    "Purpose",
    "Reason",
    "SessionKind",
    "SignedSession",
    "Status",
    "Step",
]
