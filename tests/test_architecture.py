"""The map of the house is true: its drawing is that of the imports, and what it points to is there."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from scripts import architecture
from tests.support.databases import ROOT

MAPS = ("CONTRIBUTING.md",)
PATH = re.compile(
    r"`((?:portal|tests|docs|scripts|migrations|templates|static|deploy)/[\w./-]*|[\w.-]+\.(?:py|toml|md|in))`"
)
SVG = "{http://www.w3.org/2000/svg}"


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", MAPS)
def test_every_path_that_is_named_is_there(name: str) -> None:
    named = PATH.findall(read(name).replace("`views.py` and `forms.py`", ""))

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_map_has_every_room() -> None:
    told = re.findall(r"^\| `(\w+)/` \|", read("docs/architecture.md"), re.MULTILINE)

    assert architecture.read_rooms().keys() <= set(told)
    assert set(told) <= architecture.WORDS.keys()


def room(services: Path, name: str, imports: str = "") -> None:
    (services / name).mkdir()
    (services / name / "__init__.py").touch()
    (services / name / "rules.py").write_text(imports)


def test_a_room_stands_above_what_it_imports(tmp_path: Path) -> None:
    room(tmp_path, "core", "import portal.services.core.audit\nfrom portal.models import Key\n")
    room(tmp_path, "keys", "from portal.services import core\n")
    room(tmp_path, "mail", "def send():\n    from portal.services.core.audit import record\n")
    room(tmp_path, "verify", "import portal.services.keys.states\n")

    assert architecture.floors(architecture.read_rooms(tmp_path)) == [["verify"], ["keys", "mail"], ["core"]]


def test_a_circle_can_not_be_drawn(tmp_path: Path) -> None:
    room(tmp_path, "core")
    room(tmp_path, "keys", "from portal.services.mail import outbox\n")
    room(tmp_path, "mail", "from portal.services.keys import states\n")

    with pytest.raises(ValueError, match="keys, mail"):
        architecture.floors(architecture.read_rooms(tmp_path))


def test_the_drawing_shows_both_ways_and_says_what_it_is() -> None:
    built = [["verify"], ["keys"], ["mail", "usage", "calls"], ["core"]]
    root = ET.fromstring(architecture.draw(built))
    marks = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "mark"]

    assert sorted(filter(None, marks)) == [*"1234567", *"ABCDEF"]
    assert root.find(f"{SVG}title") is not None
