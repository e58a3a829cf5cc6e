"""What a form is known by, and what its secret is made of (rule 6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from secrets import token_urlsafe

import pytest
from flask import Flask

from portal import clock
from portal.models import ActorKind, SentForm, SessionKind
from portal.services.accounts import sign_in
from portal.services.core import sent_forms
from portal.services.core.actor import Actor
from portal.services.core.errors import AlreadyCreated
from portal.services.core.sent_forms import Form
from portal.services.keys import creation, issuing
from tests.conftest import MakeApp
from tests.support.cast import Cast

STRANGER = Actor(ActorKind.ANONYMOUS, ip_address="192.0.2.7")

CONTENT = [("name", "ci"), ("level", "1")]


def row(salt: bytes) -> SentForm:
    return SentForm(id=b"x" * 32, request_id="a", at=clock.utcnow(), salt=salt)


def test_a_form_is_that_of_one_browser_path_and_content() -> None:
    forms = [
        Form.of("alice", "/account/keys/new", "bits", CONTENT),
        Form.of("bob", "/account/keys/new", "bits", CONTENT),
        Form.of("alice", "/account/keys/x/rotate", "bits", CONTENT),
        Form.of("alice", "/account/keys/new", "other", CONTENT),
        Form.of("alice", "/account/keys/new", "bits", [("name", "ci"), ("level", "2")]),
    ]

    assert all(one.id != other.id for one, other in combinations(forms, 2))
    assert Form.of("alice", "/account/keys/new", "bits", CONTENT[::-1]).id == forms[0].id
    assert "bits" not in repr(forms[0])


def test_a_secret_takes_the_form_its_row_and_the_server(app: Flask, make_app: MakeApp) -> None:
    """Neither who reads the database nor who keeps the page can make it again."""
    form, other = Form(b"x" * 32, "bits"), Form(b"x" * 32, "other")
    with app.app_context():
        created = [
            sent_forms.derive(form, row(b"a" * 32), "secret", 1, "session"),
            sent_forms.derive(other, row(b"a" * 32), "secret", 1, "session"),
            sent_forms.derive(form, row(b"b" * 32), "secret", 1, "session"),
            sent_forms.derive(form, row(b"a" * 32), "secret", 1, "another"),
            sent_forms.derive(form, row(b"a" * 32), "secret", 2, "session"),
        ]
        assert sent_forms.derive(form, row(b"a" * 32), "secret", 1, "session") == created[0]
    with make_app(PORTAL_SECRET_KEY=token_urlsafe(48)).app_context():
        created.append(sent_forms.derive(form, row(b"a" * 32), "secret", 1, "session"))
    assert len(set(created)) == len(created)
    assert {len(each) for each in created} == {32}


def test_another_session_of_the_account_does_not_get_the_secret(app: Flask, cast: Cast) -> None:
    with app.app_context():
        first, other = (
            sign_in.sign_in(STRANGER, "alice", cast.alice.password, SessionKind.BROWSER)[0].id for _ in "ab"
        )
        form = Form.of("alice", "/account/keys/new", "bits", CONTENT)
        actor = replace(cast.alice.actor, session_id=first, request_id="one", form=form)
        key, secret = creation.create_key(actor, name="ci", level=1, life=timedelta(days=1))

        assert issuing.issue_again(replace(actor, request_id="two")) == (key, secret)
        with pytest.raises(AlreadyCreated):
            issuing.issue_again(replace(actor, request_id="two", session_id=other))
