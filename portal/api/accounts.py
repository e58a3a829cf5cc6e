"""The caller's own account: read and changed."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from portal.api import body
from portal.api.answers import answer
from portal.api.auth import Caller, actor, caller
from portal.api.errors import failure
from portal.api.schemas import AccountAnswer, AccountFacts, Name, NameAnswer, OwnAccountChanges
from portal.http.limited import refuse_when_limited
from portal.models import Consent
from portal.services.accounts import profile
from portal.services.accounts.update import change_account
from portal.services.core.errors import ConsentLacking, Forbidden
from portal.services.ratelimits import questions


def show() -> ResponseReturnValue:
    """Tell what is known of the account."""
    return answer(AccountAnswer(account=AccountFacts.model_validate(profile.get_account(actor()))))


def change() -> ResponseReturnValue:
    """Change what is given, all of it or nothing."""
    wanted = body.read(OwnAccountChanges, may_be_empty=True)
    me = caller()
    if me.signed is None and (wanted.email is not None or wanted.password is not None):
        raise Forbidden
    if me.signed and me.signed.account.consent is Consent.NONE and wanted.consent is None:
        raise ConsentLacking
    refuse_when_limited(questions.may_change(me.account_id, _shown_by(me)))
    return answer(
        AccountAnswer(account=AccountFacts.model_validate(change_account(actor(), **wanted.model_dump())))
    )


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
