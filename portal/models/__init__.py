"""Tables, constraints and facts about one row."""

from portal.models.account import LANGUAGES, Account, Consent, Status
from portal.models.audit import Action, ActorKind, AuditEvent
from portal.models.excess import ExcessStep, Step
from portal.models.installation import LastMoment, PepperCheck, PromiseProof
from portal.models.job_lease import JobLease
from portal.models.key import ApiKey, Environment, KeyKind, Reason
from portal.models.limits import CallWindow, LimitCounter
from portal.models.mail_token import MailToken, Purpose
from portal.models.outbox import MailKind, OutboxMail
from portal.models.sent_form import SentForm
from portal.models.session import SessionKind, SignedSession
from portal.models.usage import KeyAddress, KeyRefusal, KeyUsage, KeyUsageHour

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
    "LastMoment",
    "LimitCounter",
    "MailKind",
    "MailToken",
    "OutboxMail",
    "PepperCheck",
    "PromiseProof",
    "Purpose",
    "Reason",
    "SentForm",
    "SessionKind",
    "SignedSession",
    "Status",
    "Step",
]
