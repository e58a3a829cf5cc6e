"""What the texts of the documentation tell of this installation, from the tables that it works by."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext

from portal.extensions import settings
from portal.labels import ROLES
from portal.levels import levels
from portal.permissions import LONGEST_LIFE, N_, Role
from portal.runtime import runtime
from portal.services.abuse import leaks
from portal.services.calls.rates import rates_by_role
from portal.services.keys import secrets
from portal.services.ratelimits import questions
from portal.web.docs import advice, openapi_view
from portal.web.docs.scanners import scanners

LIMITS = (
    (N_("Failed sign-ins, from one address, to one account"), questions.SIGN_IN_OWN),
    (N_("Failed sign-ins, from one address"), questions.SIGN_IN_SOURCE),
    (N_("Sign-ups, from one address, with one email"), questions.SIGN_UP_OWN),
    (N_("Sign-ups, from one address"), questions.SIGN_UP_SOURCE),
    (N_("Confirmations, from one address"), questions.CONFIRM_SOURCE),
    (N_("Wrong current passwords, by one account, from one address"), questions.PROVE_OWN),
    (N_("Keys created, by one account"), questions.ISSUE_ACCOUNT),
    (N_("Failed checks of a key, from one address"), questions.KEY_CHECK_SOURCE),
    (N_("Reports of leaked secrets, from one address"), questions.LEAK_SOURCE),
)

RESTRICTIONS = (
    (
        "networks",
        '["192.0.2.0/24", "!192.0.2.7"]',
        N_("The addresses that the key may be used from. After an exclamation mark: not from these."),
    ),
    (
        "audiences",
        '["orders"]',
        N_("The services that accept the key, by the names they ask under. For a service key: its own name."),
    ),
    ("notBefore", '"2027-01-31T08:00:00Z"', N_("The time from which the key is valid.")),
    ("maxIdle", "604800", N_("The key ends if it's unused for so many seconds: an hour or more.")),
    ("callsPerMinute", "60", N_("Its own rate limit, if lower than that of its owner's role.")),
    ("callsPerDay", "5000", N_("The same for a day.")),
    ("environment", '"test"', N_("live or test. A label; it grants nothing and forbids nothing.")),
    ("note", '"deploys the shop"', N_("For the account's owner. No service sees it.")),
    ("kind", '"service"', N_("A key for a service that checks keys of others. Only admins create one.")),
)
"""What may be given besides name, level and expiresIn: the field, an example, and what it says."""

SHOWN = {
    "report": "curl",
    "pattern": N_("Regular expression"),
    "check": "Python",
    "gitleaks": ".gitleaks.toml",
    "trufflehog": "trufflehog.yaml",
}
"""What the page about leaks shows, by its name: the label of each."""


def gather() -> dict[str, Any]:
    """All of it."""
    document = runtime.openapi()
    routes = openapi_view.routes(document)
    found = scanners(settings.key_prefix, settings.base_url)
    return {
        "levels": levels(),
        "roles": list(Role),
        "role_names": ROLES,
        "routes": routes,
        "everywhere": set.intersection(*(set(route.codes) for route in routes)),
        "errors": openapi_view.errors(document),
        "likely": advice.LIKELY,
        "advice": lambda code: gettext(advice.ADVICE[code]) if code in advice.ADVICE else "",
        "restrictions": RESTRICTIONS,
        "limits": LIMITS,
        "rates": [(ROLES[Role(role)], rate) for role, rate in rates_by_role(settings).items()],
        "longest_life": LONGEST_LIFE,
        "secret": secrets,
        "scanners": {name: example.text for name, example in found.items()}
        | {"pattern": secrets.pattern(settings.key_prefix).pattern},
        "most_secrets": leaks.MOST_SECRETS,
        "prefix": settings.key_prefix,
        "base_url": settings.base_url,
        "key_headers": settings.key_headers,
    }
