"""What templates may rely on: no name that nobody gave, and numbers as the language writes them."""

from __future__ import annotations

import pytest
from flask import Flask
from jinja2 import UndefinedError

from tests.support.databases import ROOT


@pytest.mark.sqlite_only(reason="templates have nothing to do with the database")
@pytest.mark.parametrize(
    "source", ["{{ nobody }}", "{{ {}.nobody }}", "{% if nobody %}{% endif %}", "{{ nobody|length }}"]
)
def test_a_name_that_nobody_gave_is_an_error(app: Flask, source: str) -> None:
    with pytest.raises(UndefinedError):
        app.jinja_env.from_string(source).render()


@pytest.mark.sqlite_only(reason="templates have nothing to do with the database")
@pytest.mark.parametrize(
    ("number", "told"),
    [(1, "1 call"), (2, "2 calls"), (2_073, "2,073 calls"), (1_000_000, "1,000,000 calls")],
)
def test_a_number_in_a_sentence_is_grouped(app: Flask, number: int, told: str) -> None:
    sentence = app.jinja_env.from_string("{{ ngettext('%(num)s call', '%(num)s calls', number) }}")

    with app.test_request_context():
        assert sentence.render(number=number) == told


def test_no_template_wants_a_plain_number() -> None:
    """``ngettext`` gives templates a number that is written already: ``%(num)d`` would fail with it."""
    wanting = [path for path in (ROOT / "templates").rglob("*.*") if "%(num)d" in path.read_text()]

    assert wanting == []
