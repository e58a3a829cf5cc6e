"""Limits as named questions: may this be done now, and if not, when?

They slow the source, never the owner: see docs/decisions/0004-limits.md. A question
counts what it allows, exactly across workers and machines, in one short transaction of
its own, so that the count stays when the act fails. Ask before the use case's own
transaction begins, never inside it.
"""

from __future__ import annotations

import ipaddress
from unicodedata import normalize

from portal.services.counting import Answer, Counter, Limit, ask, ask_failed, counter, give_back

MINUTE = 60
HOUR = 60 * MINUTE


# The figures, all of them. The first of each group is the source's own.
SIGN_IN_OWN = Limit("sign-in by name and source", 10, 15 * MINUTE)
SIGN_IN_SOURCE = Limit("sign-in by source", 50, 15 * MINUTE)
SIGN_IN_NAME = Limit("sign-in by name", 100, 15 * MINUTE, spares=3)
SIGN_IN_ALL = Limit("sign-in", 3000, 15 * MINUTE, spares=3)
PROVE_OWN = Limit("proof by account and source", 10, 15 * MINUTE)
SIGN_UP_OWN = Limit("sign-up by address and source", 5, HOUR)
SIGN_UP_SOURCE = Limit("sign-up by source", 20, HOUR)
SIGN_UP_ALL = Limit("sign-up", 1000, HOUR, spares=1)
RESET_OWN = Limit("reset by address and source", 5, HOUR)
RESET_SOURCE = Limit("reset by source", 20, HOUR)
RESET_ALL = Limit("reset", 1000, HOUR, spares=1)
MAIL_RECIPIENT = Limit("mail by recipient", 6, HOUR)
CONFIRM_SOURCE = Limit("confirm by source", 60, HOUR)
CONFIRM_ALL = Limit("confirm", 3000, HOUR, spares=5)
ISSUE_ACCOUNT = Limit("issue by account", 60, HOUR)
LEAK_SOURCE = Limit("leak report by source", 60, HOUR)
LEAK_ALL = Limit("leak report", 3000, HOUR, spares=5)
SIGNATURE_SOURCE = Limit("wrong signature by source", 60, MINUTE)
KEY_CHECK_SOURCE = Limit("failed key check by source", 60, MINUTE)
KEY_CHECK_ALL = Limit("failed key check", 6000, MINUTE, spares=10)


def may_sign_in(address: str, username: str) -> Answer:
    """Count a try to sign in; call :func:`signed_in` when it was a good one."""
    return ask(_sign_in_counters(address, username))


def signed_in(address: str, username: str) -> None:
    """Give back the try that :func:`may_sign_in` counted: only failures slow a source."""
    give_back(_sign_in_counters(address, username))


def may_prove(address: str, account_id: int) -> Answer:
    """Count a try to prove the current password in a session; :func:`proved` gives it back."""
    return ask([counter(PROVE_OWN, account_id, source(address))])


def proved(address: str, account_id: int) -> None:
    """Give back the try that :func:`may_prove` counted."""
    give_back([counter(PROVE_OWN, account_id, source(address))])


def may_sign_up(address: str, email: str) -> Answer:
    """Count a sign-up, for a free address as for a taken one."""
    origin = source(address)
    return ask(
        [
            counter(SIGN_UP_OWN, _folded(email), origin),
            counter(SIGN_UP_SOURCE, origin),
            counter(SIGN_UP_ALL),
        ]
    )


def may_reset(address: str, email: str) -> Answer:
    """Count a request for a link by mail, for a known address as for an unknown one."""
    origin = source(address)
    return ask(
        [
            counter(RESET_OWN, _folded(email), origin),
            counter(RESET_SOURCE, origin),
            counter(RESET_ALL),
        ]
    )


def may_send_mail(recipient: str) -> Answer:
    """Count a mail that a stranger can cause.

    When it may not be sent, send none and answer as ever: the links of the mails that
    were sent in this hour still work, so nobody is locked out.
    """
    return ask([counter(MAIL_RECIPIENT, _folded(recipient))])


def may_confirm(address: str) -> Answer:
    """Count the use of a mailed link."""
    return ask([counter(CONFIRM_SOURCE, source(address)), counter(CONFIRM_ALL)])


def may_issue_key(account_id: int) -> Answer:
    """Count a key that an account makes."""
    return ask([counter(ISSUE_ACCOUNT, account_id)])


def may_report_leaks(address: str) -> Answer:
    """Count a report of leaked secrets, whatever it finds."""
    return ask([counter(LEAK_SOURCE, source(address)), counter(LEAK_ALL)])


def failed_signature(address: str) -> Answer:
    """Count a report whose signature is not GitHub's; a good one passes from a slow source too."""
    return ask_failed(counter(SIGNATURE_SOURCE, source(address)))


def failed_key_check(address: str) -> Answer:
    """Count a failed key check. Once a source is slow, nothing is written until it no longer is.

    Ask only after a failure: a good secret passes from a slow source too.
    """
    return ask_failed(counter(KEY_CHECK_SOURCE, source(address)), counter(KEY_CHECK_ALL))


def source(address: str) -> str:
    """What a limit takes for one source: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


def _sign_in_counters(address: str, username: str) -> list[Counter]:
    origin, name = source(address), _folded(username)
    return [
        counter(SIGN_IN_OWN, name, origin),
        counter(SIGN_IN_SOURCE, origin),
        counter(SIGN_IN_NAME, name),
        counter(SIGN_IN_ALL),
    ]


def _folded(text_: str) -> str:
    return normalize("NFKC", text_.strip()).casefold()
