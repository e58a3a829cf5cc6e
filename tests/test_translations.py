"""Every sentence that a person reads goes through gettext, and the catalogue has them all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.pofile import read_po
from bs4 import BeautifulSoup, Comment, Doctype
from jinja2 import Environment

from scripts.translator_comments import annotate
from tests.support.databases import ROOT
from tests.support.house_rules import assert_none, place, python_files, tree_of

TEMPLATES = sorted((ROOT / "templates").rglob("*.*"))
CATALOGUE = ROOT / "portal" / "translations" / "messages.pot"
READ_ALOUD = ("alt", "title", "placeholder", "aria-label", "aria-description")
NAMES = {"Chatelaine", "UTC", "MB", "curl", "Python", "JavaScript", "Go", "OpenAPI", "JSON"}
"""Names are the same in every language."""

SPEAKING = {"flash", "abort", "ValidationError", "StopValidation"}
FIELDS = re.compile(r"\w+Field$")
EXPRESSION = "\N{OBJECT REPLACEMENT CHARACTER}"


def skeleton(source: str) -> str:
    """What a template says by itself, on its own lines: every expression is one odd character."""
    said, depth = "", 0
    without_classes = re.sub(r"{% block width %}\w+{% endblock %}", "", source)
    for line, kind, value in Environment(autoescape=True).lex(without_classes):
        said += "\n" * (line - 1 - said.count("\n"))
        if kind in {"variable_begin", "block_begin"}:
            depth += 1
            said += EXPRESSION if kind == "variable_begin" else ""
        elif kind in {"variable_end", "block_end"}:
            depth -= 1
        elif kind == "data" and depth == 0:
            said += value
    return said


def spoken(html: str) -> Iterator[tuple[int, str]]:
    """The texts that a reader would see or hear, without code and without names, with their lines."""
    page = BeautifulSoup(html, "html.parser")
    for tag in page(["script", "style", "code", "pre", "kbd"]):
        tag.decompose()
    strings = [each for each in page.find_all(string=True) if not isinstance(each, Comment | Doctype)]
    texts: list[tuple[object, str]] = [(each.find_previous(True), str(each)) for each in strings]
    texts += [(tag, str(tag[name])) for tag in page(True) for name in READ_ALOUD if tag.has_attr(name)]
    for near, text in texts:
        said = re.sub(rf"{EXPRESSION}|\b({'|'.join(NAMES)})\b", " ", text).strip()
        if word := re.search(r"[^\W\d_]{2,}", said):
            yield line_of(word[0], html, getattr(near, "sourceline", None) or 1), said


def line_of(word: str, html: str, start: int) -> int:
    """The first line with the word, from the one on that the tag before it begins on."""
    lines = enumerate(html.split("\n"), 1)
    return next((number for number, line in lines if number >= start and word in line), start)


def past_gettext_in_template(path: Path) -> Iterator[str]:
    for line, text in spoken(skeleton(path.read_text("utf-8"))):
        yield f"{place(path, line)}: {text}"


def past_gettext_in_code(path: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SPEAKING or FIELDS.search(name):
            first = node.args[0]
            if isinstance(first, ast.JoinedStr) or (
                isinstance(first, ast.Constant) and isinstance(first.value, str)
            ):
                yield f"{place(path, node.lineno)}: {ast.unparse(first)}"


def test_templates_say_nothing_past_gettext() -> None:
    assert len(TEMPLATES) > 50
    assert_none(found for path in TEMPLATES for found in past_gettext_in_template(path))


def test_views_and_forms_say_nothing_past_gettext() -> None:
    speaking = [path for path in python_files("portal") if "cli" not in path.parts]
    assert_none(found for path in speaking for found in past_gettext_in_code(path))


def test_the_search_finds_what_bypasses_gettext() -> None:
    assert list(spoken(skeleton("<p>Hello {{ name }}</p>"))) == [(1, "Hello")]
    assert list(spoken(skeleton('<img alt="A clasp">{{ _("fine") }} · Chatelaine'))) == [(1, "A clasp")]


def test_it_names_every_file_and_line(tmp_path: Path) -> None:
    page, module = tmp_path / "a.html", tmp_path / "a.py"
    page.write_text(
        '{# of a\n key #}\n<p\n class="a">{{ _("fine",\n a=1) }}\n  <b>Hello</b>\n\n'
        '  <img\n  alt="A clasp">\n{%- if a -%}\n  Hello\n{%- endif %}\n</p>\n'
    )
    module.write_text('flash(_("fine"))\nflash("Hello")\nname = StringField(f"Hello {name}")\n')

    assert list(past_gettext_in_template(page)) == [
        f"{page}:6: Hello", f"{page}:11: Hello", f"{page}:9: A clasp",
    ]  # fmt: skip
    assert list(past_gettext_in_code(module)) == [f"{module}:2: 'Hello'", f"{module}:3: f'Hello {{name}}'"]


def test_the_catalogue_is_up_to_date(tmp_path: Path) -> None:
    """``make messages`` has been run since the last sentence was written."""
    target = next(line for line in (ROOT / "Makefile").read_text().split("\n\n") if "pybabel" in line)
    words = re.findall(r"--keyword \S+", target)
    created = tmp_path / "messages.pot"
    command = [
        Path(sys.executable).with_name("pybabel"), "--quiet", "extract", "--mapping", "babel.cfg",
        "--no-location", "--sort-output", "--omit-header", *" ".join(words).split(), "--output", created, ".",
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    assert _ids(created) == _ids(CATALOGUE), "run: make messages"


def test_translators_are_told_what_is_filled_in_and_what_short_words_mean() -> None:
    """What is new stands in ``scripts/translator_comments.py``, or beside the sentence."""
    with CATALOGUE.open("rb") as file:
        messages = [each for each in read_po(file) if each.id]
    bare = [each for each in messages if not each.auto_comments]

    assert_none(str(each.id) for each in bare if "%(" in str(each.id))
    assert_none(str(each.id) for each in bare if len(str(each.id)) < 3)


def test_a_comment_stands_above_its_sentence() -> None:
    entry = 'msgid "%(num)s call"\nmsgid_plural "%(num)s calls"\nmsgstr[0] ""\nmsgstr[1] ""\n'
    told = annotate(f'msgid "Live"\nmsgstr ""\n\n{entry}')

    assert told.startswith("#. state of a key that works")
    assert f"\n\n#. num: a number\n{entry}" in told


def _ids(path: Path) -> set[str]:
    return set(
        re.findall(r'^msgid(?:_plural)? ((?:"(?:[^"\\]|\\.)*"\s*)+)', path.read_text("utf-8"), re.MULTILINE)
    )
