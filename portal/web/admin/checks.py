"""Would a key pass? The doorkeeper's checks, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask_babel import gettext

from portal import clock
from portal.labels import REFUSALS, STATUSES
from portal.models import AccountStatus, ApiKey
from portal.permissions import N_, READ_OTHERS
from portal.services.core.outcomes import Outcome
from portal.services.keys.networks import OUT
from portal.services.verify.explanation import Check, Checked, Explanation
from portal.services.verify.key_record import VerifiedKey
from portal.web.admin.blueprint import whose
from portal.web.filters import ago, at, length

LABELS: dict[Check, str] = {
    Check.SECRET: N_("Secret"),
    Check.REVOKED: N_("Not revoked"),
    Check.EXPIRED: N_("Not expired"),
    Check.UNUSED: N_("Used recently"),
    Check.ACCOUNT: N_("Account"),
    Check.CONSENT: N_("Consent"),
    Check.NOT_YET: N_("Already valid"),
    Check.ADDRESS: N_("Address"),
    Check.LEVEL: N_("Level"),
    Check.METHOD: N_("Method"),
    Check.AUDIENCE: N_("Audience"),
    Check.LIMITS: N_("Rate limits"),
}


def _(words: str, **values: object) -> str:
    """A sentence in the reader's language."""
    return str(gettext(words, **values))


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check: ``held``, ``failed`` (it decides), or ``rest``: behind the one that decides."""

    label: str
    state: str
    text: str
    would_fail: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer, and the checks that led to it."""

    passes: bool
    level: int
    reason: str
    code: str
    rows: Sequence[CheckRow]


def verdict(found: ApiKey, said: Explanation, methods: tuple[str, str]) -> Verdict:
    """Put an explanation into words; ``methods`` are the one asked for, and those that are open."""
    words = _Words(found, said, methods)
    return Verdict(
        passes=said.verdict is Outcome.GOOD,
        level=said.known.level,
        reason=_(REFUSALS.get(said.verdict.value, N_("No secret of this key is right here"))),
        code=said.verdict.value,
        rows=list(_rows(said, words)),
    )


def _rows(said: Explanation, words: _Words) -> Sequence[CheckRow]:
    rows, is_decided = [], False
    for each in said.checks:
        state = "rest" if is_decided else "failed" if each.refused else "held"
        if not is_decided and not each.is_known:
            state = "rest"
        rows.append(CheckRow(_(LABELS[each.check]), state, words.of(each), each.refused is not None))
        is_decided = is_decided or each.refused is not None
    return rows


class _Words:
    """What stands beside each check: the facts that it went by."""

    def __init__(self, found: ApiKey, said: Explanation, methods: tuple[str, str]) -> None:
        self._found = found
        self._said = said
        self._key: VerifiedKey = said.known.key
        self._method, self._open = methods
        self._by_check: dict[Check, Callable[[bool], str]] = {
            Check.SECRET: self._secret,
            Check.REVOKED: self._revoked,
            Check.EXPIRED: self._expired,
            Check.UNUSED: self._unused,
            Check.ACCOUNT: self._account,
            Check.CONSENT: self._consent,
            Check.NOT_YET: self._not_yet,
            Check.ADDRESS: self._address,
            Check.LEVEL: self._level,
            Check.METHOD: self._open_method,
            Check.AUDIENCE: self._audience,
        }

    def of(self, checked: Checked) -> str:
        """The facts of one check."""
        if checked.check is Check.LIMITS:
            return self._limits(checked)
        return self._by_check[checked.check](checked.refused is not None)

    def _secret(self, failed: bool) -> str:
        if failed:
            return _("its pepper %(id)s is missing, so no secret is right", id=self._key.pepper_id)
        return _("taken as right for this check")

    def _revoked(self, failed: bool) -> str:
        if self._key.revoked_at is not None:
            return _("revoked on %(at)s", at=at(clock.from_ms(self._key.revoked_at)))
        if self._key.retires_at is None:
            return _("never was")
        when = at(clock.from_ms(self._key.retires_at))
        if failed:
            return _("rotated; the old secret worked until %(at)s", at=when)
        return _("rotated; the old secret works until %(at)s", at=when)

    def _expired(self, failed: bool) -> str:
        when = at(self._found.expires_at)
        return _("expired on %(at)s", at=when) if failed else _("until %(at)s", at=when)

    def _unused(self, failed: bool) -> str:
        if self._key.max_idle is None:
            return _("need not be used")
        rest = length(timedelta(seconds=self._key.max_idle))
        if failed:
            return _("ended because it was unused for %(length)s", length=rest)
        if self._key.last_used_at is None:
            return _("never used, ends after %(length)s", length=rest)
        used = ago(clock.from_ms(self._key.last_used_at))
        return _("%(ago)s, ends after %(length)s unused", ago=used, length=rest)

    def _account(self, _failed: bool) -> str:
        state = _(STATUSES[AccountStatus(self._key.status)])
        return _("%(email)s: %(state)s", email=whose(self._found.account), state=state.lower())

    def _consent(self, failed: bool) -> str:
        return _("lacking") if failed else _("given")

    def _not_yet(self, failed: bool) -> str:
        if self._key.not_before is None:
            return _("no start date")
        when = at(clock.from_ms(self._key.not_before))
        return _("valid from %(at)s", at=when) if failed else _("since %(at)s", at=when)

    def _address(self, failed: bool) -> str:
        if not self._key.networks:
            return _("every address is allowed")
        allowed = _listed(self._key)
        address = self._said.question.ip_address
        if address is None:
            return _("no address given; allowed: %(networks)s", networks=allowed)
        if failed:
            return _("%(address)s is not allowed by %(networks)s", address=address, networks=allowed)
        return _("%(address)s is allowed by %(networks)s", address=address, networks=allowed)

    def _level(self, failed: bool) -> str:
        ask = self._said.question
        if self._key.is_service:
            return _("a service key only introspects") if failed else _("a service key introspects")
        reached = self._said.known.level
        wanted = READ_OTHERS if ask.introspects else ask.level
        return _(
            "%(asked)s asked, %(reached)s allowed: the lower of key %(own)s and role %(role)s",
            asked=wanted,
            reached=reached,
            own=self._key.level,
            role=self._found.account.role.level,
        )

    def _open_method(self, failed: bool) -> str:
        if not self._open:
            return _("every method is open")
        if not self._method:
            return _("none given; open: %(methods)s", methods=self._open)
        if failed:
            return _("%(method)s is not among %(methods)s", method=self._method, methods=self._open)
        return _("%(method)s is open", method=self._method)

    def _audience(self, failed: bool) -> str:
        asked, own = self._said.question.audience, ", ".join(self._key.audiences.split(" "))
        if not own:
            return _("for every audience")
        if asked is None:
            return _("none given; for %(audiences)s", audiences=own)
        if failed:
            return _("%(audience)s is not among %(audiences)s", audience=asked, audiences=own)
        return _("%(audience)s is among %(audiences)s", audience=asked, audiences=own)

    def _limits(self, checked: Checked) -> str:
        if self._key.is_service:
            return _("not counted for a service key")
        if self._said.question.at_ms is not None:
            return _("known for now only")
        if not checked.is_known:
            return _("not known: what counts calls is away")
        return _("no call is left") if checked.refused else _("calls are left")


def _listed(key: VerifiedKey) -> str:
    """The networks of a key; those that are kept out have a word before them."""
    shown = (
        _("not %(network)s", network=each[1:]) if each[0] == OUT else each for each in key.networks.split()
    )
    return ", ".join(shown)
