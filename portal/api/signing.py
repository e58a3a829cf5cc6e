"""Sign up, confirm, sign in."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from portal.api import body
from portal.api.accounts import read_consent
from portal.api.answers import answer
from portal.api.auth import actor
from portal.api.schemas import SignedInAnswer, SignUpAnswer, account_facts
from portal.http import client_address
from portal.http.limited import refuse_when_limited
from portal.models import SessionKind, SignedSession
from portal.services.accounts import recovery, signup
from portal.services.accounts import sign_in as signing_in
from portal.services.auth import jwt
from portal.services.core.errors import AccountBlocked, AccountLocked, InvalidInput
from portal.services.ratelimits import questions


def sign_up() -> ResponseReturnValue:
    """Write down that somebody wants an account; the mail says how to go on."""
    found = body.read_object()
    email, language = required(found, "email"), required(found, "language")
    refuse_when_limited(questions.may_sign_up(client_address(), email))
    return answer(SignUpAnswer(email=signup.request_sign_up(actor(), email, language)), 201)


def confirm(token: str) -> ResponseReturnValue:
    """Prove the address with the mailed token, give consent, and be signed in."""
    found = body.read_object()
    consent = read_consent(found)
    refuse_when_limited(questions.may_confirm(client_address()))
    entered = signup.confirm(actor(), token, consent=consent, password=None, kind=SessionKind.JWT)
    assert entered, "a kind of session was asked for"
    return _signed_in(entered[0])


def sign_in() -> ResponseReturnValue:
    """Check name and password, and give a JWT."""
    found = body.read_object()
    username, password = _username(found), required(found, "password")
    address = client_address()
    refuse_when_limited(questions.may_sign_in(address, username))
    try:
        signed, _token = signing_in.sign_in(actor(), username, password, SessionKind.JWT)
    except AccountLocked as error:
        questions.signed_in(address, username)
        recovery.request_unlock(actor(), int(str(error.details["account_id"])))
        raise
    except AccountBlocked:
        questions.signed_in(address, username)
        raise
    questions.signed_in(address, username)
    return _signed_in(signed)


def required(found: dict[str, Any], name: str) -> str:
    """A field of text that has to be there; InvalidInput with ``<name>Missing`` otherwise."""
    value = body.text(found, name)
    if value is None or not value.strip():
        raise InvalidInput(f"{name}Missing", name)
    return value


def _username(found: dict[str, Any]) -> str:
    number = body.number(found, "username")
    return required(found, "username") if number is None else str(number)


def _signed_in(signed: SignedSession) -> ResponseReturnValue:
    return answer(SignedInAnswer(account=account_facts(signed.account), token=jwt.issue(signed)))
