"""Sign up, confirm, sign in."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from portal.api import body
from portal.api.answers import answer
from portal.api.auth import actor
from portal.api.schemas import AccountFacts, Confirmation, SignedInAnswer, SignIn, SignUp, SignUpAnswer
from portal.http import client_ip_address
from portal.http.limited import refuse_when_limited
from portal.models import SessionKind, UserSession
from portal.services.accounts import sign_in as signing_in
from portal.services.accounts import signup
from portal.services.auth import jwt
from portal.services.ratelimits import questions


def sign_up() -> ResponseReturnValue:
    """Write down that somebody wants an account; the mail says how to go on."""
    asked = body.read(SignUp)
    refuse_when_limited(questions.may_sign_up(client_ip_address(), asked.email))
    return answer(SignUpAnswer(email=signup.request_sign_up(actor(), asked.email, asked.language)), 201)


def confirm(token: str) -> ResponseReturnValue:
    """Prove the address with the mailed token, give consent, and be signed in."""
    consent = body.read(Confirmation).consent
    refuse_when_limited(questions.may_confirm(client_ip_address()))
    entered = signup.confirm(actor(), token, consent=consent, password=None, kind=SessionKind.JWT)
    assert entered, "a kind of session was asked for"
    return _signed_in(entered[0])


def sign_in() -> ResponseReturnValue:
    """Check name and password, and give a JWT."""
    asked = body.read(SignIn)
    signed, _token = signing_in.sign_in(actor(), asked.username, asked.password, SessionKind.JWT)
    return _signed_in(signed)


def _signed_in(signed: UserSession) -> ResponseReturnValue:
    return answer(
        SignedInAnswer(account=AccountFacts.model_validate(signed.account), token=jwt.issue(signed))
    )
