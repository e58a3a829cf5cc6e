"""The map of the house is true: its drawing is that of the plan, and what it points to is there."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from scripts import architecture
from tests.support.databases import ROOT
from tests.test_layers import BESIDE, FLOORS

PATH = re.compile(
    r"`((?:portal|tests|docs|scripts|migrations|templates|static|deploy|\.ci)/[\w./-]*"
    r"|[\w.-]+\.(?:py|toml|md|in))`"
)
PLACE = re.compile(r"^\| (.+?) \| `([\w/.]+)`[^|]* \| `(\w+)` \|$", re.MULTILINE)
SVG = "{http://www.w3.org/2000/svg}"


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_path_that_is_named_is_there(name: str) -> None:
    named = PATH.findall(read(name))

    assert len(named) > 10
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_what_somebody_looks_for_is_where_the_map_says() -> None:
    places = PLACE.findall(read("docs/architecture.md"))

    assert len(places) > 15
    for what, path, name in places:
        defined = re.search(rf"^ *((def|class) {name}\b|{name}\b.* = )", read(path), re.MULTILINE)
        assert defined, f"{what}: {path} has no {name}"


def test_the_map_has_every_room() -> None:
    told = re.findall(r"^\| `(\w+)/` \|", read("docs/architecture.md"), re.MULTILINE)

    assert sorted(told) == sorted(set().union(*FLOORS))


def test_the_drawing_is_that_of_the_floors() -> None:
    assert read("docs/images/architecture.svg") == architecture.draw(), "call make drawing, and look at it"


def test_the_drawing_shows_each_room_each_arrow_and_both_ways() -> None:
    root = ET.fromstring(architecture.draw())
    texts = {
        kind: [text.text for text in root.iter(f"{SVG}text") if text.get("class") == kind]
        for kind in ("name", "mark")
    }

    assert set().union(*FLOORS) <= set(texts["name"])
    assert sorted(map(str, texts["mark"])) == [*"1234567", *"ABCDEF"]
    assert len([path for path in root.iter(f"{SVG}path") if path.get("class") == "arrow"]) == len(BESIDE)
    assert root.find(f"{SVG}title") is not None
