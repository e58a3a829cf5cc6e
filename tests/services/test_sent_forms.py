"""What a form is known by, and what its secret is made of (rule 6)."""

from __future__ import annotations

from itertools import combinations

from flask import Flask

from portal import clock
from portal.models import SentForm
from portal.services import sent_forms
from portal.services.sent_forms import Form

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


def test_a_secret_takes_the_form_its_row_and_the_server(app: Flask) -> None:
    """Neither who reads the database nor who keeps the page can make it again."""
    form, other = Form(b"x" * 32, "bits"), Form(b"x" * 32, "other")
    with app.app_context():
        made = [
            sent_forms.derive(form, row(b"a" * 32), "secret", 1, "session"),
            sent_forms.derive(other, row(b"a" * 32), "secret", 1, "session"),
            sent_forms.derive(form, row(b"b" * 32), "secret", 1, "session"),
            sent_forms.derive(form, row(b"a" * 32), "secret", 1, "another"),
            sent_forms.derive(form, row(b"a" * 32), "secret", 2, "session"),
        ]
        assert sent_forms.derive(form, row(b"a" * 32), "secret", 1, "session") == made[0]
    assert len(set(made)) == len(made)
    assert {len(each) for each in made} == {32}
