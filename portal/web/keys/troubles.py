"""What is wrong with a key, in one line each, with the way out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from flask import url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from portal import clock
from portal.services.core.outcomes import Outcome
from portal.web.filters import ago, at, day
from portal.web.keys.presenters import KeyRow
from portal.web.keys.refusal_advice import RefusalRow, Way


class Trouble(NamedTuple):
    """A fact, what follows from it, and the way out."""

    kind: str
    fact: str
    text: str = ""
    way: Way | None = None


def troubles_of(
    key: KeyRow, refused: Sequence[RefusalRow], successor: UUID | None, reused_at: datetime | None
) -> list[Trouble]:
    """What an owner has to know now, the worst first."""
    found = [_reused(reused_at), _refused_today(refused, reused_at), _of_its_end(key, successor)]
    return [trouble for trouble in found if trouble is not None]


def _reused(reused_at: datetime | None) -> Trouble | None:
    if reused_at is None:
        return None
    return Trouble(
        "bad",
        _("The secret of this key was used after its end, first on %(at)s.", at=at(reused_at)),
        _(
            "A script that still has the old secret needs the new one. If you know of none, "
            "somebody else has it."
        ),
    )


def _refused_today(refused: Sequence[RefusalRow], reused_at: datetime | None) -> Trouble | None:
    """The refusals of today that are the most, of one reason and from one address."""
    today = clock.today()
    fresh = [
        each for each in refused if each.last_at >= today and not (reused_at and each.code == Outcome.REVOKED)
    ]
    if not fresh:
        return None
    most = max(fresh, key=lambda each: each.times)
    alike = [each for each in fresh if (each.code, each.ip_address) == (most.code, most.ip_address)]
    times = sum(each.times for each in alike)
    fact = ngettext("Refused %(num)s time today", "Refused %(num)s times today", times)
    if most.ip_address:
        fact = _("%(refused)s from %(address)s", refused=fact, address=most.ip_address)
    words = most.words[:1].lower() + most.words[1:]
    return Trouble(
        "bad",
        _("%(refused)s: %(reason)s.", refused=fact, reason=words),
        most.advice.text,
        most.advice.way,
    )


def _of_its_end(key: KeyRow, successor: UUID | None) -> Trouble | None:
    if successor is not None:
        return _rotated(key, successor)
    rotate = Way(_("Rotate the key"), url_for("keys.rotate", key_id=key.id))
    if key.ended and key.ended_at is not None:
        return _ended(key, rotate)
    if key.starts_at is not None:
        fact = _("This key isn't valid yet: calls with it are refused until %(at)s.", at=at(key.starts_at))
        return Trouble("info", fact)
    if key.state != "soon":
        return None
    if key.ends_at != key.expires_at:
        fact = _("Ends %(ago)s unless it's used before.", ago=ago(key.ends_at))
        return Trouble("warn", fact, _("It has been unused for too long by then."))
    fact = _("Expires %(ago)s, on %(day)s.", ago=ago(key.ends_at), day=day(key.ends_at))
    return Trouble("warn", fact, _("It can't be extended."), rotate)


def _ended(key: KeyRow, rotate: Way) -> Trouble:
    when = day(key.ended_at) if key.ended_at else ""
    if key.leaked:
        create = Way(_("Create a key"), url_for("keys.new", name=key.name, level=key.level))
        fact = _("Revoked on %(day)s: %(reason)s.", day=when, reason=key.revoked_reason_label)
        return Trouble("info", fact, _("That is final. Take the secret out of where it lay."), create)
    again = _("Rotate it to get a new key with the same settings.")
    if key.state == "revoked":
        fact = _("Revoked on %(day)s: %(reason)s.", day=when, reason=key.revoked_reason_label)
        again = _("That is final. Rotate it to get a new key with the same settings.")
    elif key.unused_for:
        fact = _(
            "This key ended on %(day)s because it was unused for %(length)s.",
            day=when,
            length=key.unused_for,
        )
    else:
        fact = _("This key expired on %(day)s.", day=when)
    return Trouble("info", fact, again, rotate)


def _rotated(key: KeyRow, successor: UUID) -> Trouble:
    way = Way(_("Go to the new key"), url_for("keys.detail", key_id=successor))
    if key.ended:
        return Trouble("info", _("This key was rotated."), _("Its secret is refused everywhere."), way)
    fact = _("This key was rotated and works until %(at)s.", at=at(key.ends_at))
    return Trouble("warn", fact, _("Give what still uses it the new secret."), way)
