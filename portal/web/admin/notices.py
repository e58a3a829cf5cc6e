"""What needs an operator's attention, in words: each with the one thing to do about it."""

from __future__ import annotations

from collections.abc import Iterator

from flask import url_for
from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from portal.labels import REPORTERS
from portal.models import Account, ExcessLevel, ExcessStep
from portal.services.core.trouble import Readiness
from portal.services.operators.state import SHOWN, Mails, Trouble
from portal.web.admin.blueprint import whose
from portal.web.filters import ago
from portal.web.overview.notices import Notice, in_order


def notices(trouble: Trouble, readiness: Readiness) -> list[Notice]:
    """All of them, what is broken first."""
    found = [*_of_readiness(readiness), *_of_jobs(trouble), *_of_promises(trouble), *_of_mails(trouble.mails)]
    return in_order([*found, *_of_excess(trouble), *_of_leaks(trouble)])


def _of_readiness(found: Readiness) -> Iterator[Notice]:
    if found is Readiness.READY:
        return
    yield Notice(
        "bad",
        "triangle-alert",
        _("The portal is not ready: %(reason)s", reason=found.value),
        _("Its log says more, and so does the command selfcheck."),
        _("See /readyz"),
        "search",
        url_for("health.readyz"),
    )


def _of_jobs(trouble: Trouble) -> Iterator[Notice]:
    if not trouble.jobs_late:
        return
    since = trouble.jobs_since
    yield Notice(
        "bad",
        "clock",
        _("The jobs last ran %(ago)s", ago=ago(since)) if since else _("The jobs have never run"),
        _("No email is sent and nothing is cleaned. Run: flask --app wsgi jobs run"),
        _("Read how"),
        "book-open",
        url_for("docs.index"),
    )


def _of_promises(trouble: Trouble) -> Iterator[Notice]:
    if not trouble.broken:
        return
    number = len(trouble.broken)
    yield Notice(
        "bad",
        "badge-check",
        ngettext("%(num)s promise did not hold", "%(num)s promises did not hold", number),
        _("The last self-check found it."),
        _("See promises"),
        "search",
        url_for("promises.index"),
    )


def _of_mails(mails: Mails) -> Iterator[Notice]:
    if mails.waiting and mails.since:
        since = ago(mails.since)
        title = ngettext(
            "%(num)s email waits, written %(ago)s",
            "%(num)s emails wait, the oldest written %(ago)s",
            mails.waiting,
            ago=since,
        )
        text = mails.error or _("No attempt has failed: the jobs have not come to it.")
        yield Notice("warn", "mail", title, text, _("See acts"), "search", _log("mail:refused"))
    if mails.refused:
        title = ngettext(
            "%(num)s email could not be delivered", "%(num)s emails could not be delivered", mails.refused
        )
        text = _("In the last 7 days. The page of each account says why.")
        yield Notice("warn", "mail", title, text, _("See which"), "search", _log("mail:refused"))


def _of_excess(trouble: Trouble) -> Iterator[Notice]:
    for step, account in trouble.excess[:SHOWN]:
        yield _excess(step, account)
    more = len(trouble.excess) - SHOWN
    if more > 0:
        title = ngettext(
            "%(num)s more account is above its limits", "%(num)s more accounts are above their limits", more
        )
        yield Notice(
            "warn", "gauge", title, _("In the last day."), _("See acts"), "search", _log("excess:throttled")
        )


def _excess(step: ExcessStep, account: Account) -> Notice:
    calls = format_decimal(step.figures.get("calls", 0))
    refused = format_decimal(step.figures.get("refused", 0))
    titles = {
        ExcessLevel.WARNED: _("%(email)s is near a daily limit", email=whose(account)),
        ExcessLevel.THROTTLED: _("%(email)s calls above its limits", email=whose(account)),
        ExcessLevel.REVOKED: _("%(email)s lost its keys for too many calls", email=whose(account)),
    }
    return Notice(
        "warn" if step.step is ExcessLevel.WARNED else "bad",
        "gauge",
        titles[step.step],
        _("%(calls)s calls, %(refused)s refused, %(ago)s.", calls=calls, refused=refused, ago=ago(step.at)),
        _("Open account"),
        "user",
        url_for("admin.account", account_id=account.id),
    )


def _of_leaks(trouble: Trouble) -> Iterator[Notice]:
    for event in trouble.leaks[:SHOWN]:
        reporter = str(_(REPORTERS[event.details["reporter"]])) if "reporter" in event.details else ""
        yield Notice(
            "bad",
            "shield",
            _("The secret of “%(name)s” leaked", name=event.details.get("name", "")),
            _(
                "%(reporter)s, %(ago)s. The key is revoked and its owner knows.",
                reporter=reporter,
                ago=ago(event.at),
            ),
            _("Open key"),
            "key-round",
            url_for("admin.key", key_id=event.key_id),
        )


def _log(action: str) -> str:
    return url_for("admin.audit_log", action=action)
