"""What needs an owner's attention, in words: each with the one thing to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import url_for
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from markupsafe import Markup

from portal import clock
from portal.labels import REFUSALS
from portal.models import ApiKey, ExcessLevel, ExcessStep
from portal.services.accounts.lookalikes import shown_email
from portal.services.keys.quotas import KeyQuota
from portal.services.mail.pending import PendingEmail
from portal.services.usage.attention import Attention, RefusedKey, last_needed
from portal.web.filters import ago, at, day

SHOWN = 3
"""How many keys of one kind have a row each; of more, the last row tells how many there are."""
ABOVE_LIMIT = "tooManyRequests"
TONES = ("bad", "warn", "")


@dataclass(frozen=True, slots=True)
class Notice:
    """One row: what is the matter, what it means, and where to do something about it."""

    tone: str
    icon: str
    title: str
    text: str
    action: str
    action_icon: str
    url: str


def of_keys(attention: Attention, *, is_throttled: bool) -> Iterator[Notice]:
    """The rows about keys; refusals above the limits have a row of their own where ``is_throttled``."""
    yield from (_reused(key) for key in attention.reused)
    told = {key.id for key in attention.reused}
    refused = [key for key in attention.refused if key.key_id not in told]
    refused = [key for key in refused if not (is_throttled and key.reason == ABOVE_LIMIT)]
    yield from (_refused(key) for key in refused[:SHOWN])
    if len(refused) > SHOWN:
        yield _more_refused(len(refused) - SHOWN)
    yield from (_expiring(key) for key in attention.expiring[:SHOWN])
    if len(attention.expiring) > SHOWN:
        yield _more_expiring(attention.expiring[SHOWN:])
    yield from (_unused(key) for key in attention.unused[:SHOWN])
    if len(attention.unused) > SHOWN:
        yield _more_unused(len(attention.unused) - SHOWN)


def of_quota(quota: KeyQuota) -> Iterator[Notice]:
    """A row when the account has nearly as many keys as it may have."""
    if not quota.is_nearly_full:
        return
    live, most = format_decimal(quota.live), format_decimal(quota.most)
    yield Notice(
        "bad" if quota.is_full else "warn",
        "gauge",
        _("%(live)s of %(most)s keys are live", live=live, most=most),
        _("You can't create another one until one ends. You can still rotate keys.")
        if quota.is_full
        else _("When all are used, you can't create another one until one ends."),
        _("See keys"),
        "search",
        url_for("keys.index"),
    )


def of_excess(step: ExcessStep | None) -> Iterator[Notice]:
    """A row when calls came near the rate limits, or above them."""
    if step is None:
        return
    figures = step.figures
    words = {
        ExcessLevel.WARNED: (
            "warn",
            _("A key is near its daily limit"),
            _("Above it, calls are refused until midnight UTC."),
        ),
        ExcessLevel.THROTTLED: (
            "bad",
            _("Calls above a rate limit are refused today"),
            _("They work again when the minute or the day (UTC) is over."),
        ),
        ExcessLevel.REVOKED: (
            "bad",
            ngettext(
                "%(num)s key was revoked for too many calls",
                "%(num)s keys were revoked for too many calls",
                figures.get("revoked", 0),
            ),
            _(
                "On %(day)s, after %(refused)s refused calls.",
                day=day(step.day),
                refused=format_decimal(figures["refused"]),
            ),
        ),
    }
    tone, title, text = words[step.step]
    yield Notice(tone, "gauge", title, text, _("See limits"), "search", url_for("usage_limits.index"))


def of_email(email: str, pending: PendingEmail | None, *, is_refused: bool) -> Iterator[Notice]:
    """Rows about an email that no mail reaches, and about one that waits to be confirmed."""
    url = url_for("profile.email")
    if is_refused:
        yield Notice(
            "bad",
            "mail",
            _("Our emails don't reach you"),
            _say(_("%(email)s refused the last one. Notices about your keys are lost."), email=email),
            _("Change email"),
            "mail",
            url,
        )
    if pending is None:
        return
    title = _say(_("%(email)s waits to be confirmed"), email=pending.email)
    text = _("Open the link that we sent there.")
    if pending.refused:
        text = _("Our email with the link could not be delivered.")
    elif pending.until is not None:
        text = _("Open the link that we sent there. It works until %(at)s.", at=at(pending.until))
    yield Notice("warn", "mail", title, text, _("See email"), "mail", url_for("profile.index"))


def in_order(notices: Sequence[Notice]) -> list[Notice]:
    """What is broken first, then what will be, then what can wait."""
    return sorted(notices, key=lambda notice: TONES.index(notice.tone))


def _reused(key: ApiKey) -> Notice:
    when = key.usage.reused_at if key.usage else None
    return Notice(
        "bad",
        "shield",
        _say(_("The old secret of %(name)s is still in use"), name=key.name),
        _(
            "It was refused, first on %(at)s. Whoever uses it needs the new one, or should not have it.",
            at=at(when or clock.utcnow()),
        ),
        _("See key"),
        "search",
        url_for("keys.detail", key_id=key.id),
    )


def _refused(key: RefusedKey) -> Notice:
    times = ngettext("%(num)s time", "%(num)s times", key.times)
    reason = str(_(REFUSALS[key.reason])) if key.reason in REFUSALS else key.reason
    return Notice(
        "bad",
        "shield-x",
        _say(_("%(name)s was refused %(times)s in the last day"), name=key.name, times=times),
        _("%(reason)s, last from %(address)s.", reason=reason, address=key.ip_address)
        if key.ip_address
        else f"{reason}.",
        _("See why"),
        "search",
        url_for("keys.detail", key_id=key.key_id),
    )


def _more_refused(number: int) -> Notice:
    title = ngettext("%(num)s more key was refused", "%(num)s more keys were refused", number)
    text = _("Somebody who holds their secrets called in vain.")
    return Notice("bad", "shield-x", title, text, _("See keys"), "search", _list("refused"))


def _expiring(key: ApiKey) -> Notice:
    end = key.ends_at
    if end == key.expires_at:
        title, text = _("%(name)s expires %(when)s"), _("On %(at)s. Nothing can prolong it.", at=at(end))
    else:
        title = _("%(name)s ends %(when)s if nobody uses it")
        text = _("On %(at)s, because it is unused.", at=at(end))
    return Notice(
        "warn",
        "hourglass",
        _say(title, name=key.name, when=ago(end)),
        text,
        _("Rotate"),
        "refresh-cw",
        url_for("keys.rotate", key_id=key.id),
    )


def _more_expiring(keys: Sequence[ApiKey]) -> Notice:
    title = ngettext("%(num)s more key expires soon", "%(num)s more keys expire soon", len(keys))
    text = _("The last one on %(day)s.", day=day(keys[-1].ends_at))
    return Notice("warn", "hourglass", title, text, _("See keys"), "search", _list("expiring"))


def _unused(key: ApiKey) -> Notice:
    days = (clock.utcnow() - last_needed(key)).days
    name, number = key.name, format_decimal(days)
    return Notice(
        "",
        "moon",
        _say(_("%(name)s is unused for %(days)s days"), name=name, days=number),
        _("It still works, with level %(level)s, until %(day)s.", level=key.level, day=day(key.expires_at)),
        _("Revoke…"),
        "ban",
        url_for("keys.revoke", key_id=key.id),
    )


def _more_unused(number: int) -> Notice:
    title = ngettext("%(num)s more key is unused", "%(num)s more keys are unused", number)
    text = _("Revoke what nobody needs: a key that is gone can't leak.")
    return Notice("", "moon", title, text, _("See keys"), "search", _list("unused"))


def _list(status: str) -> str:
    return url_for("keys.index", status=status)


def _say(words: str, **values: str) -> Markup:
    """A sentence with what people typed in it, each in a direction of its own."""
    typed = {"name", "email"}
    shown = {
        name: Markup("<bdi>{}</bdi>").format(shown_email(value) if name == "email" else value)
        if name in typed
        else value
        for name, value in values.items()
    }
    return Markup(words) % shown  # noqa: S704  # the words are ours, or a translator's
