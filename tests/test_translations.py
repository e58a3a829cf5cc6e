"""Every sentence that a person reads goes through gettext, and the catalogue has them all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Comment, Doctype
from jinja2 import Environment

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted((ROOT / "templates").rglob("*.*"))
CATALOGUE = ROOT / "portal" / "translations" / "messages.pot"
READ_ALOUD = ("alt", "title", "placeholder", "aria-label", "aria-description")
NAMES = {"Chatelaine", "UTC", "MB", "curl", "Python", "JavaScript", "OpenAPI", "JSON"}
"""Names are the same in every language."""

SPEAKING = {"flash", "abort", "ValidationError", "StopValidation"}
FIELDS = re.compile(r"\w+Field$")
EXPRESSION = "\N{OBJECT REPLACEMENT CHARACTER}"


def skeleton(source: str) -> str:
    """What a template says by itself: its text, with every expression as one odd character."""
    pieces, depth = [], 0
    without_classes = re.sub(r"{% block width %}\w+{% endblock %}", "", source)
    for _line, kind, value in Environment(autoescape=True).lex(without_classes):
        if kind in {"variable_begin", "block_begin"}:
            depth += 1
            pieces.append(EXPRESSION if kind == "variable_begin" else "")
        elif kind in {"variable_end", "block_end"}:
            depth -= 1
        elif kind == "data" and depth == 0:
            pieces.append(value)
    return "".join(pieces)


def spoken(html: str) -> list[str]:
    """The texts that a reader would see or hear, without code and without names."""
    page = BeautifulSoup(html, "html.parser")
    for tag in page(["script", "style", "code", "pre", "kbd"]):
        tag.decompose()
    texts = [str(t) for t in page.find_all(string=True) if not isinstance(t, Comment | Doctype)]
    texts += [str(tag[name]) for tag in page(True) for name in READ_ALOUD if tag.has_attr(name)]
    words = (re.sub(rf"{EXPRESSION}|\b({'|'.join(NAMES)})\b", " ", text) for text in texts)
    return [text.strip() for text in words if re.search(r"[^\W\d_]{2}", text)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_say_nothing_past_gettext(path: Path) -> None:
    assert spoken(skeleton(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "portal").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_views_and_forms_say_nothing_past_gettext(path: Path) -> None:
    if "cli" in path.parts:
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SPEAKING or FIELDS.search(name):
            first = node.args[0]
            bare = isinstance(first, ast.JoinedStr) or (
                isinstance(first, ast.Constant) and isinstance(first.value, str)
            )
            assert not bare, f"{path.name}:{node.lineno}: {ast.unparse(first)} bypasses gettext"


def test_the_search_finds_what_bypasses_gettext() -> None:
    assert spoken(skeleton("<p>Hello {{ name }}</p>")) == ["Hello"]
    assert spoken(skeleton('<img alt="A clasp">{{ _("fine") }} · Chatelaine')) == ["A clasp"]


def test_the_catalogue_is_up_to_date(tmp_path: Path) -> None:
    """``make messages`` has been run since the last sentence was written."""
    target = next(line for line in (ROOT / "Makefile").read_text().split("\n\n") if "pybabel" in line)
    words = re.findall(r"--keyword \S+", target)
    made = tmp_path / "messages.pot"
    command = [
        Path(sys.executable).with_name("pybabel"), "--quiet", "extract", "--mapping", "babel.cfg",
        "--no-location", "--sort-output", "--omit-header", *" ".join(words).split(), "--output", made, ".",
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    assert _ids(made) == _ids(CATALOGUE), "run: make messages"


def _ids(path: Path) -> set[str]:
    return set(
        re.findall(r'^msgid(?:_plural)? ((?:"(?:[^"\\]|\\.)*"\s*)+)', path.read_text("utf-8"), re.MULTILINE)
    )
