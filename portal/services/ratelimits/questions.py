"""Limits as named questions: may this be done now, and if not, when?

They slow the source, never the owner: see docs/decisions/0004-limits.md. A question
counts what it allows, exactly across workers and machines, in one short transaction of
its own, so that the count stays when the act fails. Ask before the use case's own
transaction begins, never inside it.
"""

from __future__ import annotations

import ipaddress
from unicodedata import normalize

from portal.services.core.emails import email_key
from portal.services.core.errors import Slowed
from portal.services.ratelimits.counters import Answer, Counter, Limit, ask, ask_failed, counter, give_back

UNKNOWN = "unknown"
WIDER = ((6, 56, 2, None), (6, 48, 3, None), (4, 24, 5, 3))
"""Version, prefix, how many times the tries of one source, and spare tries of each source."""

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


# The figures, all of them. The first of each group is the source's own.
SIGN_IN_OWN = Limit("sign-in by name and source", 10, 15 * MINUTE)
SIGN_IN_SOURCE = Limit("sign-in by source", 50, 15 * MINUTE)
SIGN_IN_NAME = Limit("sign-in by name", 100, 15 * MINUTE, spares=3)
SIGN_IN_ALL = Limit("sign-in", 3000, 15 * MINUTE, spares=3)
PROVE_OWN = Limit("proof by account and source", 10, 15 * MINUTE)
PROVE_ACCOUNT = Limit("proof by account", 100, 15 * MINUTE, spares=3)
SIGN_UP_OWN = Limit("sign-up by address and source", 5, HOUR)
SIGN_UP_SOURCE = Limit("sign-up by source", 20, HOUR)
SIGN_UP_ALL = Limit("sign-up", 1000, HOUR, spares=1)
RESET_OWN = Limit("reset by address and source", 5, HOUR)
RESET_SOURCE = Limit("reset by source", 20, HOUR)
RESET_ALL = Limit("reset", 1000, HOUR, spares=1)
SIGN_UP_MAIL_OWN = Limit("sign-up mail by recipient and source", 3, HOUR)
SIGN_UP_MAIL = Limit("sign-up mail by recipient", 6, HOUR)
SIGN_UP_MAIL_DAY = Limit("sign-up mail by recipient and day", 12, DAY)
RESET_MAIL_OWN = Limit("reset mail by recipient and source", 5, HOUR)
RESET_MAIL = Limit("reset mail by recipient", 6, HOUR, spares=2)
UNLOCK_MAIL_OWN = Limit("unlock mail by account and source", 5, HOUR)
UNLOCK_MAIL = Limit("unlock mail by account", 12, HOUR, spares=2)
WAY_BACK_MAIL = Limit("way back by operator and account", 5, HOUR)
NEW_EMAIL_PAIR = Limit("new address by account and address", 3, HOUR)
NEW_EMAIL_ACCOUNT = Limit("new address by account", 5, HOUR)
NEW_EMAIL_ACCOUNT_DAY = Limit("new address by account and day", 10, DAY)
NEW_EMAIL_SOURCE = Limit("new address by source", 10, HOUR)
NEW_EMAIL_RECIPIENT = Limit("new address by address", 6, DAY, spares=1)
NEW_EMAIL_ALL = Limit("new address", 300, HOUR, spares=1)
CONFIRM_SOURCE = Limit("confirm by source", 60, HOUR)
CONFIRM_ALL = Limit("confirm", 3000, HOUR, spares=5)
ISSUE_ACCOUNT = Limit("issue by account", 60, HOUR)
START_OWN = Limit("session by account and source", 120, HOUR)
START_ACCOUNT = Limit("session by account", 300, HOUR, spares=5)
CHANGE_OWN = Limit("change by account and session", 300, HOUR)
CHANGE_ACCOUNT = Limit("change by account", 1000, HOUR, spares=20)
NAME_OWN = Limit("name by account and session", 600, HOUR)
NAME_ACCOUNT = Limit("name by account", 2000, HOUR, spares=20)
LOOK_OWN = Limit("look by account and session", 1500, HOUR)
LOOK_ACCOUNT = Limit("look by account", 3000, HOUR, spares=100)
LEAK_SOURCE = Limit("leak report by source", 60, HOUR)
LEAK_ALL = Limit("leak report", 3000, HOUR, spares=5)
SIGNATURE_SOURCE = Limit("wrong signature by source", 60, MINUTE)
KEY_CHECK_SOURCE = Limit("failed key check by source", 60, MINUTE)
KEY_CHECK_ALL = Limit("failed key check", 6000, MINUTE, spares=10)


def require(answer: Answer) -> None:
    """Raise Slowed, with when to try again, unless a question here was answered with yes."""
    if not answer:
        raise Slowed(answer.retry_after)


def may_sign_in(ip_address: str, username: str) -> Answer:
    """Count a try to sign in; call :func:`signed_in` when it was a good one."""
    return ask(_sign_in_counters(ip_address, username))


def signed_in(ip_address: str, username: str) -> None:
    """Give back the try that :func:`may_sign_in` counted: only failures slow a source."""
    give_back(_sign_in_counters(ip_address, username))


def may_prove(ip_address: str, account_id: int) -> Answer:
    """Count a try to prove the current password in a session; :func:`proved` gives it back."""
    return ask(_proof_counters(ip_address, account_id))


def proved(ip_address: str, account_id: int) -> None:
    """Give back the try that :func:`may_prove` counted."""
    give_back(_proof_counters(ip_address, account_id))


def may_sign_up(ip_address: str, email: str) -> Answer:
    """Count a sign-up, for a free address as for a taken one."""
    own = counter(SIGN_UP_OWN, _folded(email), source(ip_address))
    return ask([own, *_source_counters(SIGN_UP_SOURCE, ip_address, counter(SIGN_UP_ALL))])


def may_reset(ip_address: str, email: str) -> Answer:
    """Count a request for a link by mail, for a known address as for an unknown one."""
    own = counter(RESET_OWN, _folded(email), source(ip_address))
    return ask([own, *_source_counters(RESET_SOURCE, ip_address, counter(RESET_ALL))])


def may_mail_sign_up(ip_address: str, recipient: str) -> Answer:
    """Count a mail that answers a sign-up, to whoever reads the address.

    When it may not be sent, send none and answer as ever: the links of those that were sent
    work for a day, so nobody who has the mailbox is kept out.
    """
    to = _folded(recipient)
    own = counter(SIGN_UP_MAIL_OWN, to, source(ip_address))
    return ask([own, counter(SIGN_UP_MAIL, to), counter(SIGN_UP_MAIL_DAY, to)])


def may_mail_reset(ip_address: str, recipient: str) -> Answer:
    """Count a mail with a link to a new password; when it may not be sent, answer as ever.

    However many strangers asked, a source that has not asked yet gets one: the owner's.
    """
    to = _folded(recipient)
    return ask([counter(RESET_MAIL_OWN, to, source(ip_address)), counter(RESET_MAIL, to)])


def may_mail_unlock(ip_address: str, account_id: int) -> Answer:
    """Count a mail with the way back, to an owner who gave the right password of a locked account."""
    return ask([counter(UNLOCK_MAIL_OWN, account_id, source(ip_address)), counter(UNLOCK_MAIL, account_id)])


def may_mail_way_back(operator: object, account_id: int) -> Answer:
    """Count a link that an operator has mailed to the owner of an account."""
    return ask([counter(WAY_BACK_MAIL, operator, account_id)])


def may_change_email(ip_address: str, account_id: int, recipient: str) -> Answer:
    """Count a change of address: a mail to somebody who may be a stranger.

    Few for one account, one source, one address and the installation; what others ask for
    leaves the first one of each account.
    """
    to = _folded(recipient)
    return ask(
        [
            counter(NEW_EMAIL_PAIR, account_id, to),
            counter(NEW_EMAIL_ACCOUNT, account_id),
            counter(NEW_EMAIL_ACCOUNT_DAY, account_id),
            *_source_counters(NEW_EMAIL_SOURCE, ip_address),
            counter(NEW_EMAIL_RECIPIENT, to),
            counter(NEW_EMAIL_ALL),
        ]
    )


def may_confirm(ip_address: str) -> Answer:
    """Count the use of a mailed link."""
    return ask(_source_counters(CONFIRM_SOURCE, ip_address, counter(CONFIRM_ALL)))


def may_issue_key(account_id: int) -> Answer:
    """Count a key that an account makes."""
    return ask([counter(ISSUE_ACCOUNT, account_id)])


def may_start_session(ip_address: str, account_id: int) -> Answer:
    """Count a session or a JWT that somebody with the right password starts."""
    return ask([counter(START_OWN, account_id, source(ip_address)), counter(START_ACCOUNT, account_id)])


def may_change(account_id: int, by: object) -> Answer:
    """Count a change that somebody who is signed in makes; ``by`` is the session, or the key.

    Each session has its own, and spares where another has used up the account's: whoever took
    a session can't keep the owner from taking the account back.
    """
    return ask([counter(CHANGE_OWN, account_id, by), counter(CHANGE_ACCOUNT, account_id)])


def may_ask_for_name(account_id: int, by: object) -> Answer:
    """Count a question whether a name is free, which pages ask as it is typed; ``by`` as for a change."""
    return ask([counter(NAME_OWN, account_id, by), counter(NAME_ACCOUNT, account_id)])


def may_look(account_id: int, by: object) -> Answer:
    """Count a look of an operator, which leaves a line in the audit log; ``by`` is the session.

    An act on somebody's account takes up to four, so these are more than its changes need.
    """
    return ask([counter(LOOK_OWN, account_id, by), counter(LOOK_ACCOUNT, account_id)])


def may_report_leaks(ip_address: str) -> Answer:
    """Count a report of leaked secrets, whatever it finds."""
    return ask(_source_counters(LEAK_SOURCE, ip_address, counter(LEAK_ALL)))


def count_failed_signature(ip_address: str) -> Answer:
    """Count a report whose signature is not GitHub's; a good one passes from a slow source too."""
    return ask_failed(*_source_counters(SIGNATURE_SOURCE, ip_address))


def count_failed_key_check(ip_address: str) -> Answer:
    """Count a failed key check. Once a source is slow, nothing is written until it no longer is.

    Ask only after a failure: a good secret passes from a slow source too.
    """
    return ask_failed(*_source_counters(KEY_CHECK_SOURCE, ip_address, counter(KEY_CHECK_ALL)))


def source(ip_address: str) -> str:
    """What a limit takes for one source: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(ip_address.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


def wider(limit: Limit, ip_address: str, *subject: object) -> list[Counter]:
    """The counters of the networks around a source, for a limit that counts by source.

    Who has a /48 has 65,536 sources, so all of it shares a few times the tries of one. A /24 of
    IPv4 is often many people, so there each source keeps its spare tries.
    """
    origin = ipaddress.ip_network(source(ip_address)) if source(ip_address) != UNKNOWN else None
    found = []
    for version, prefix, times, spares in WIDER:
        if origin is not None and origin.version == version:
            around = Limit(f"{limit.name}, /{prefix}", limit.amount * times, limit.seconds, spares)
            found.append(counter(around, *subject, origin.supernet(new_prefix=prefix)))
    return found


def _sign_in_counters(ip_address: str, username: str) -> list[Counter]:
    name = _login(username)
    own, others = counter(SIGN_IN_OWN, name, source(ip_address)), counter(SIGN_IN_NAME, name)
    return [own, *_source_counters(SIGN_IN_SOURCE, ip_address, others, counter(SIGN_IN_ALL))]


def _proof_counters(ip_address: str, account_id: int) -> list[Counter]:
    return [
        counter(PROVE_OWN, account_id, source(ip_address)),
        *wider(PROVE_OWN, ip_address, account_id),
        counter(PROVE_ACCOUNT, account_id),
    ]


def _source_counters(limit: Limit, ip_address: str, *others: Counter) -> list[Counter]:
    return [counter(limit, source(ip_address)), *wider(limit, ip_address), *others]


def _login(username: str) -> str:
    """One way to write what somebody signs in with: 1, 01 and 001 are one number.

    The name, the address and the number of an account have counters of their own: were they
    to share one, a stranger could try which of them belong together.
    """
    text = _folded(username)
    return str(int(text)) if text.isascii() and text.isdecimal() and len(text) < 100 else text


def _folded(text_: str) -> str:
    text = email_key(text_) if "@" in text_ else text_.strip()
    return normalize("NFKC", text).casefold()
