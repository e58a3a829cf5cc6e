"""Levels can be told in the operator's own sentences, and then are so everywhere."""

from __future__ import annotations

import pytest

from config_values import ConfigurationError
from portal import mailer
from portal.services.mail.outbox import MailContent
from tests.support.cast import make_cast
from tests.test_mail import LETTERS

pytestmark = pytest.mark.sqlite_only(reason="nothing of this asks the database for more than a key")

OWN = "Create & change patterns, 100 % of them"
JSON = '{"3": "' + OWN + '", "0": "Nothing"}'
TOML = f'# our API\n3 = "{OWN}"\n0 = "Nothing"\n'


@pytest.fixture(params=[JSON, TOML], ids=["json", "toml"])
def told(request, make_app, tmp_path):
    path = tmp_path / "levels"
    path.write_text(request.param, "utf-8")
    return make_app(PORTAL_LEVELS_FILE=str(path))


def test_the_form_the_list_the_documentation_and_the_mail_say_it(told):
    cast, client = make_cast(told), told.test_client()
    documentation = client.page("/docs/levels").text
    cast.alice.sign_in(client)
    form = client.page("/account/keys/new").text
    with told.app_context():
        mail = mailer.render(MailContent("key-made", {**LETTERS["key-made"], "level": 3}), "en")

    for text in (documentation, form, mail.text):
        assert OWN in " ".join(text.split())
        assert "Write resources" not in text
    assert "Read account" in form


def test_a_key_is_shown_with_it(told, make_key):
    cast, client = make_cast(told), told.test_client()
    cast.alice.sign_in(client)
    make_key(cast.alice, level=3, name="nightly")

    assert OWN in client.page("/account/keys").text


def test_the_description_of_the_api_says_it(told):
    text = told.test_client().get("/api/openapi.json").get_json()["info"]["description"]

    assert f"- 3: {OWN}\n- 4: Write account and keys\n" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"10": "x"}', "'10' is no level; levels are 0 to 9."),
        ('{"three": "x"}', "'three' is no level"),
        ('{"3": ""}', "Level 3 has no sentence."),
        ('{"3": ["x"]}', "Level 3 has no sentence."),
        ('{"3": "a\\u202eb"}', "a character that can't be shown"),
        ('{"3": "a\\nb"}', "more than one line"),
        ('{"3": "' + "x" * 61 + '"}', "longer than 60 characters"),
        ('{"3": "x", "3": "y"}', "stands there twice"),
        ('{"3": "x"', "can't be read (line 1)"),
        ('3 = "x"\n3 = "y"', "can't be read"),
        ("3: x", "can't be read"),
        ('["x"]', "can't be read|has no sentence|is no level"),
        ("{" * 100_000, "can't be read"),
        ('{"11": "x", "2": 5}', "'11' is no level; levels are 0 to 9. Level 2 has no sentence."),
    ],
)
def test_each_fault_is_told_in_one_sentence(make_app, text, said):
    with pytest.raises(ConfigurationError, match=r"^PORTAL_LEVELS") as caught:
        make_app(PORTAL_LEVELS=text)

    assert any(each in str(caught.value) for each in said.split("|"))
    assert "\n" not in str(caught.value)
