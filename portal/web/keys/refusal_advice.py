"""What to do about a refusal: a sentence, and the page that helps, if there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from flask import url_for
from flask_babel import gettext as _

from portal.labels import DOORS, REFUSALS
from portal.models import ApiKey, RecentRefusal
from portal.services.core.outcomes import Outcome
from portal.services.keys.networks import OUT
from portal.services.verify.doorkeeper import INTROSPECTING
from portal.web.filters import at
from portal.web.zones import local

NAMED = 3
"""Networks or audiences that a sentence names."""


class Way(NamedTuple):
    """A link that leads out."""

    text: str
    url: str


class Advice(NamedTuple):
    """What to do, and where."""

    text: str
    way: Way | None = None


class RefusalRow(NamedTuple):
    """Equal refusals of a day, as a page tells them."""

    times: int
    code: str
    words: str
    advice: Advice
    ip_address: str
    door: str
    since: str
    """When they began, on that day."""
    last_at: datetime


class Mendable(NamedTuple):
    """What an advice is made of."""

    key: ApiKey
    successor: UUID | None
    refusal: RecentRefusal


def refusal_row(key: ApiKey, successor: UUID | None, refusal: RecentRefusal) -> RefusalRow:
    """Make the row of a refusal; the links lead to the owner's pages."""
    advise = ADVICE.get(refusal.reason)
    return RefusalRow(
        times=refusal.times,
        code=refusal.reason,
        words=_(REFUSALS[refusal.reason]) if refusal.reason in REFUSALS else refusal.reason,
        advice=advise(Mendable(key, successor, refusal)) if advise else Advice(""),
        ip_address=refusal.ip_address,
        door=_(DOORS[refusal.door]) if refusal.door in DOORS else refusal.door,
        since=f"{local(refusal.first_at):%H:%M}",
        last_at=refusal.last_at,
    )


def _address(about: Mendable) -> Advice:
    key = about.key
    if not about.refusal.ip_address:
        return Advice(_("The service that asked has to send the caller's IP address along."))
    inside = [word for word in key.networks.split() if not word.startswith(OUT)]
    outside = [word.removeprefix(OUT) for word in key.networks.split() if word.startswith(OUT)]
    if inside:
        said = _("This key works only from %(networks)s.", networks=_some(inside))
    else:
        said = _("This key doesn't work from %(networks)s.", networks=_some(outside))
    return Advice(said, Way(_("Create a key for this address"), _new_key(key)))


def _expired(about: Mendable) -> Advice:
    return Advice(_("This key has ended. Give what still uses it a new secret."), _replace(about))


def _revoked(about: Mendable) -> Advice:
    return Advice(
        _("This key is revoked. Give what still uses it a new secret, unless it isn't yours."),
        _replace(about),
    )


def _not_yet(about: Mendable) -> Advice:
    if about.key.not_before is None:
        return Advice(_("This key wasn't valid yet."))
    return Advice(
        _("This key is valid from %(at)s.", at=at(about.key.not_before)),
        Way(_("Create a key that is valid now"), _new_key(about.key)),
    )


def _level(about: Mendable) -> Advice:
    asked, level = about.refusal.asked, about.key.level
    if asked == INTROSPECTING:
        return Advice(_("Only service keys, and keys from level 6, may introspect others."))
    if not asked.isdecimal() or int(asked) <= level:
        return Advice(_("The role of the account allows less than this key's level."))
    return Advice(
        _("The call needs level %(asked)s; this key has level %(level)s.", asked=asked, level=level),
        Way(
            _("Create a key with level %(level)s", level=asked),
            url_for("keys.new", name=about.key.name, level=asked),
        ),
    )


def _audience(about: Mendable) -> Advice:
    return Advice(
        _(
            "%(asked)s asked; this key is only for %(audiences)s.",
            asked=about.refusal.asked or _("Another service"),
            audiences=_some(about.key.audiences.split()),
        ),
        Way(_("Create a key for this service"), _new_key(about.key)),
    )


def _method(about: Mendable) -> Advice:
    return Advice(
        _(
            "The gateway doesn't let %(method)s through. Ask the people who run the API.",
            method=about.refusal.asked,
        )
    )


def _throttled(_about: Mendable) -> Advice:
    return Advice(
        _("Wait as long as Retry-After says, or spread the calls."),
        Way(_("See rate limits"), url_for("usage_limits.index")),
    )


def _blocked(_about: Mendable) -> Advice:
    return Advice(_("The account is blocked. Write to the people who run this portal."))


def _locked(_about: Mendable) -> Advice:
    return Advice(
        _("The account is locked. Unlock it first."),
        Way(_("Go to security"), url_for("security.index")),
    )


def _consent(_about: Mendable) -> Advice:
    return Advice(
        _("Without consent no key works."), Way(_("Go to data and consent"), url_for("consent.index"))
    )


ADVICE: dict[str, Callable[[Mendable], Advice]] = {
    Outcome.ADDRESS: _address,
    Outcome.EXPIRED: _expired,
    Outcome.REVOKED: _revoked,
    Outcome.NOT_YET: _not_yet,
    Outcome.LEVEL: _level,
    Outcome.AUDIENCE: _audience,
    Outcome.METHOD: _method,
    Outcome.THROTTLED: _throttled,
    Outcome.BLOCKED: _blocked,
    Outcome.LOCKED: _locked,
    Outcome.CONSENT_LACKING: _consent,
}


def _replace(about: Mendable) -> Way:
    if about.successor is not None:
        return Way(_("Go to the new key"), url_for("keys.detail", key_id=about.successor))
    return Way(_("Rotate the key"), url_for("keys.rotate", key_id=about.key.id))


def _new_key(key: ApiKey) -> str:
    return url_for("keys.new", name=key.name, level=key.level)


def _some(words: Sequence[str]) -> str:
    """A few words in a sentence."""
    shown = ", ".join(words[:NAMED])
    return (
        shown
        if len(words) <= NAMED
        else _("%(words)s and %(more)s more", words=shown, more=len(words) - NAMED)
    )
