"""The caller's own account: read and changed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from flask.typing import ResponseReturnValue

from portal.api import body
from portal.api.answers import answer
from portal.api.auth import Caller, actor, caller
from portal.api.errors import failure
from portal.api.schemas import AccountAnswer, Name, NameAnswer, OwnAccountChanges, account_facts
from portal.http import client_address
from portal.http.limited import refuse_when_limited
from portal.http.proving import proving
from portal.models import Consent
from portal.services.accounts import profile, update
from portal.services.core.errors import ConsentLacking, Forbidden
from portal.services.ratelimits import questions


def show() -> ResponseReturnValue:
    """Tell what is known of the account."""
    return answer(AccountAnswer(account=account_facts(profile.get_account(actor()))))


def change() -> ResponseReturnValue:
    """Change what is given, all of it or nothing."""
    wanted = update.Changes(**body.read(OwnAccountChanges, may_be_empty=True).model_dump())
    me = caller()
    if me.signed is None and (wanted.email is not None or wanted.password is not None):
        raise Forbidden
    if me.signed and me.signed.account.consent is Consent.NONE and wanted.consent is None:
        raise ConsentLacking
    refuse_when_limited(questions.may_change(me.account_id, _shown_by(me)))
    with _proof(me.account_id, wanted):
        account = update.change_account(actor(), wanted)
    return answer(AccountAnswer(account=account_facts(account)))


def find_name() -> ResponseReturnValue:
    """Tell whether somebody has a name, as pages ask while it is typed: 404 when it is free."""
    me = caller()
    username = body.read(Name).username
    refuse_when_limited(questions.may_ask_for_name(me.account_id, _shown_by(me)))
    if profile.is_name_free(actor(), username):
        return failure(404, "usernameFree")
    return answer(NameAnswer(username=username.strip()))


def _shown_by(me: Caller) -> object:
    """What somebody is let in by: the session of their JWT, or their key."""
    return me.signed.id if me.signed else me.key and me.key.id


def _proof(account_id: int, wanted: update.Changes) -> AbstractContextManager[None]:
    """Count a try of the current password, where it is asked for."""
    if wanted.password is None and wanted.email is None:
        return nullcontext()
    refuse_when_limited(questions.may_prove(client_address(), account_id))
    return proving(account_id)
