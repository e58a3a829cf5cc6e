"""The line of a key: what replaces it, and what ends with it when its secret leaks."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from secrets import token_urlsafe

from sqlalchemy import select

from portal.models import Action, ApiKey, AuditEvent, MailKind, OutboxMail
from portal.selfcheck.answers import GOOD, REVOKED, hold
from portal.selfcheck.stage import DAY, CreatedKey, Stage
from portal.services.keys import rotation


def rotated(stage: Stage) -> None:
    """Rotate a key: with an overlap, near its expiry, and four times at one moment."""
    owner = stage.person()
    old = stage.key(owner, life=timedelta(hours=30))
    new = stage.rotate(owner, old, timedelta(hours=24))
    hold((stage.check(old), stage.check(new)) == (GOOD, GOOD), "during the overlap not both keys work")
    stage.clock.forward(hours=24)
    told = (stage.check(old), stage.check(new))
    hold(told == (REVOKED, GOOD), f"after the overlap the two keys were answered with {told}")
    _hold_stays_retired(stage, old)
    for later in ("NULL", "retires_at + 1000", "expires_at"):
        moved = f"UPDATE api_keys SET retires_at = {later} WHERE retires_at > 0"  # noqa: S608  # ours
        hold(stage.is_refused(moved), f"the database let a retirement be moved to {later}")
    near = stage.key(owner, life=timedelta(hours=2))
    stage.rotate(owner, near, timedelta(days=7))
    stage.clock.forward(hours=2)
    hold(stage.check(near) != GOOD, "an overlap let a key work on after its expiry")
    third = stage.key(owner)
    stage.together(*[partial(rotation.rotate_key, owner.actor, third.uuid)] * 4)
    hold(stage.check(third) == REVOKED, "a key that was rotated without an overlap still works")
    created = len(stage.rows(select(ApiKey.id).where(ApiKey.replaces_id == third.uuid)))
    hold(created == 1, f"four rotations at one moment made {created} successors")


def _hold_stays_retired(stage: Stage, old: CreatedKey) -> None:
    """Hold that a key whose overlap is over does not begin again where the clock was set back."""
    stage.clock.forward(hours=1)
    hold(stage.check(stage.key(stage.person())) == GOOD, "a new key was refused")
    with stage.set_back():
        stage.hold_check(old, REVOKED, "with a clock that was set back a rotated key")


def leaked(stage: Stage) -> None:
    """Report a secret as a stranger, twice, beside one that is nobody's."""
    owner = stage.person()
    created, other = stage.key(owner), stage.key(owner)
    told = []
    for secret in (stage.secret(), created.secret, created.secret):
        answer = stage.call("POST", "/api/leaks", json={"secrets": [secret], "url": "https://example.org/x"})
        told.append((answer.status_code, answer.get_data()))
    hold(len(set(told)) == 1, "the answer tells whether a reported secret was one of ours")
    hold(stage.check(created, worker=1) == REVOKED, "a key whose secret was reported still works")
    hold(stage.check(other) == GOOD, "a key that was not reported was revoked too")
    _hold_line_ends(stage)
    _hold_older_pepper(stage)
    records = AuditEvent.key_id == created.uuid, AuditEvent.action == Action.KEY_REVOKED
    mails = OutboxMail.account_id == owner.account_id, OutboxMail.kind == MailKind.KEYS_LEAKED
    for what, query in (
        ("records", select(AuditEvent.id).where(*records)),
        ("mails", select(OutboxMail.id).where(*mails)),
    ):
        found = len(stage.rows(query))
        hold(found == 1, f"a leak that was reported twice left {found} {what}")


def _hold_line_ends(stage: Stage) -> None:
    """Hold that a report ends what came of a key before it: its successor, and what was created with it."""
    owner = stage.person()
    stolen = stage.key(owner, life=2 * DAY)
    created, successor = stage.key_by(stolen), stage.rotate(owner, stolen)
    stage.call("POST", "/api/leaks", json={"secrets": [stolen.secret]})
    for name, made in (("a successor", successor), ("a key that was created with it", created)):
        stage.hold_check(made, REVOKED, f"{name} of a secret that was reported", worker=1)


def _hold_older_pepper(stage: Stage) -> None:
    """Hold that a report finds a key whose pepper is no longer the one of new keys."""
    created = stage.key(stage.person())
    ring = f"p2:{token_urlsafe(32)},{stage.scratch.settings['PORTAL_PEPPERS']}"
    later = stage.scratch.other(PORTAL_PEPPERS=ring).test_client()
    stage.call("POST", "/api/leaks", client=later, json={"secrets": [created.secret]})
    stage.hold_check(created, REVOKED, "a reported secret of an older pepper")


CHECKS = {"leaked": leaked, "rotated": rotated}
