"""What a page needs and was not given is an error, and no empty place on the page."""

from __future__ import annotations

import pytest
from flask import Flask
from jinja2 import UndefinedError


@pytest.mark.sqlite_only(reason="templates have nothing to do with the database")
@pytest.mark.parametrize(
    "source", ["{{ nobody }}", "{{ {}.nobody }}", "{% if nobody %}{% endif %}", "{{ nobody|length }}"]
)
def test_a_name_that_nobody_gave_is_an_error(app: Flask, source: str) -> None:
    with pytest.raises(UndefinedError):
        app.jinja_env.from_string(source).render()
