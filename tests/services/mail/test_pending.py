"""What waits for a mail to be answered ends with the proof that it was asked for with."""

from __future__ import annotations

import pytest

from portal.models import ActorKind, SessionKind, TokenPurpose
from portal.services.accounts import email_change, recovery, sign_in
from portal.services.accounts.update import change_account
from portal.services.auth import reauthentication
from portal.services.core.actor import Actor
from portal.services.core.errors import InvalidInput
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.mail import pending, tokens

STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.7")
NEW = "lantern gravel otter sixty"
ELSEWHERE = "alice@elsewhere.example"
UNSENT = "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND kind IN ('reset', 'email-confirm')"


def end_everything(person):
    with transaction() as session:
        get_account_for_update(session, person.account_id)
        pending.end_everything(session, STRANGER, person.account_id)


def test_unsent_mails_with_links_end_with_everything(app, cast, database, mailbox):
    """Those too that a stranger asked for, which know the address alone, in any case."""
    with app.app_context():
        change_account(cast.alice.actor, email=ELSEWHERE, current_password=cast.alice.password)
        recovery.request_reset(STRANGER, "ALICE@example.org")
        recovery.request_reset(STRANGER, cast.bob.email)
        assert database.execute(UNSENT) == [(3,)]
        end_everything(cast.alice)
    assert database.execute(UNSENT) == [(1,)]
    assert mailbox.all(to=ELSEWHERE) == []
    assert mailbox.all(to=cast.bob.email)


@pytest.mark.parametrize("sent", [False, True])
def test_a_change_of_address_that_is_cancelled_is_over(app, cast, mailbox, sent):
    with app.app_context():
        change_account(cast.alice.actor, email=ELSEWHERE, current_password=cast.alice.password)
        assert pending.find_email(cast.alice.account_id)
    link = mailbox.last(to=ELSEWHERE).path("/confirm-email/").rpartition("/")[2] if sent else ""
    with app.app_context():
        assert email_change.cancel_email(cast.alice.actor)
        assert not email_change.cancel_email(cast.alice.actor)
        assert pending.find_email(cast.alice.account_id) is None
        assert tokens.find(link, TokenPurpose.EMAIL) is None
    if not sent:
        assert mailbox.all(to=ELSEWHERE) == []


def test_without_a_password_a_fresh_session_proves_and_an_old_one_does_not(app, cast, clock):
    clock.stop()
    with app.app_context():
        signed, _token = sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.JWT)
        actor = Actor(ActorKind.JWT, cast.alice.account_id, session_id=signed.id)
        with transaction() as session:
            get_account_for_update(session, cast.alice.account_id).password_hash = None
        assert reauthentication.prove_owner(actor, None) is None
        with pytest.raises(InvalidInput, match="passwordWrong"):
            reauthentication.prove_owner(Actor(ActorKind.KEY, cast.alice.account_id), NEW)
        clock.forward(hours=1, seconds=1)
        with pytest.raises(InvalidInput, match="passwordWrong"):
            reauthentication.prove_owner(actor, NEW)
