"""Tables, constraints and facts about one row."""

from portal.models.account import LANGUAGES, Account, AccountStatus, Consent
from portal.models.audit import Action, ActorKind, AuditEvent
from portal.models.excess import ExcessLevel, ExcessStep
from portal.models.github_key import GithubKey
from portal.models.installation import LastMoment, PepperCheck, PromiseProof
from portal.models.job_lease import JobLease
from portal.models.key import ApiKey, Environment, KeyKind, RevocationReason
from portal.models.limits import CallWindow, LimitCounter
from portal.models.mail_token import MailToken, TokenPurpose
from portal.models.outbox import MailKind, OutboxMail
from portal.models.sent_form import SentForm
from portal.models.session import SessionKind, UserSession
from portal.models.usage import KeyIpAddress, KeyRefusal, KeyUsage, KeyUsageHour, RecentRefusal

__all__ = [
    "LANGUAGES",
    "Account",
    "AccountStatus",
    "Action",
    "ActorKind",
    "ApiKey",
    "AuditEvent",
    "CallWindow",
    "Consent",
    "Environment",
    "ExcessLevel",
    "ExcessStep",
    "GithubKey",
    "JobLease",
    "KeyIpAddress",
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
    "RecentRefusal",
    "RevocationReason",
    "SentForm",
    "SessionKind",
    "TokenPurpose",
    "UserSession",
]
