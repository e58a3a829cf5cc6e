"""The page that explains the API, made of the same tables that the API is made of."""

from __future__ import annotations

from flask import Blueprint, render_template

from portal.extensions import settings
from portal.labels import ROLES
from portal.permissions import LEVELS, LONGEST_LIFE, N_, Role
from portal.runtime import runtime
from portal.services.abuse import leaks
from portal.services.calls.rates import rates_by_role
from portal.services.keys import secrets
from portal.services.ratelimits import questions
from portal.web.docs import openapi_view
from portal.web.docs.examples import ASK, MAKE, PROTECT, ROTATE
from portal.web.docs.scanners import scanners

LIMITS = (
    (N_("Failed tries to sign in, by one source and name"), questions.SIGN_IN_OWN),
    (N_("Failed tries to sign in, by one source"), questions.SIGN_IN_SOURCE),
    (N_("Sign-ups, by one source and address"), questions.SIGN_UP_OWN),
    (N_("Sign-ups, by one source"), questions.SIGN_UP_SOURCE),
    (N_("Confirmations, by one source"), questions.CONFIRM_SOURCE),
    (N_("Wrong current passwords, by one account and source"), questions.PROVE_OWN),
    (N_("Keys made, by one account"), questions.ISSUE_ACCOUNT),
    (N_("Failed checks of a key, by one source"), questions.KEY_CHECK_SOURCE),
    (N_("Reports of leaked secrets, by one source"), questions.LEAK_SOURCE),
)

CONDITIONS = (
    (
        "networks",
        '["192.0.2.0/24", "!192.0.2.7"]',
        N_("Networks that it may be used from; after !, not from."),
    ),
    (
        "audiences",
        '["orders"]',
        N_("Services that it is good for, by the names that they ask under; of a service key its own."),
    ),
    ("notBefore", '"2027-01-31T08:00:00Z"', N_("From when on it is good: a time before its end.")),
    ("maxIdle", "604800", N_("Seconds without use after which it ends: an hour or more.")),
    (
        "callsPerMinute",
        "60",
        N_("Calls that it may make in a minute, if fewer than its owner's role allows."),
    ),
    ("callsPerDay", "5000", N_("Calls that it may make in a day, if fewer than its owner's role allows.")),
    ("environment", '"test"', N_("live or test: a label, and no right.")),
    ("note", '"deploys the shop"', N_("For the account's owner; no service is told it.")),
    ("kind", '"service"', N_("A key for a service that introspects, and opens nothing else; for admins.")),
)
"""What may be given besides name, level and expiresIn: the field, an example, and what it says."""

blueprint = Blueprint("docs", __name__)


@blueprint.get("/docs")
def index() -> str:
    """Show the documentation; anybody may read it."""
    document = runtime.openapi()
    return render_template(
        "docs/index.html",
        ask=ASK,
        make=MAKE,
        rotate=ROTATE,
        protect={example.id: example for example in PROTECT},
        levels=LEVELS,
        roles=list(Role),
        routes=openapi_view.routes(document),
        errors=openapi_view.errors(document),
        conditions=CONDITIONS,
        limits=LIMITS,
        rates=[(ROLES[Role(role)], rate) for role, rate in rates_by_role(settings).items()],
        longest_life=LONGEST_LIFE,
        secret=secrets,
        pattern=secrets.pattern(settings.key_prefix).pattern,
        scanners=scanners(settings.key_prefix, settings.base_url),
        most_secrets=leaks.MOST_SECRETS,
        prefix=settings.key_prefix,
        base_url=settings.base_url,
        key_headers=settings.key_headers,
    )
