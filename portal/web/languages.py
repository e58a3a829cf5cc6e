"""The languages that pages offer: those whose catalogue says everything."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, current_app

NAMES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "nl": "Nederlands"}
"""Each language by its own name."""

_OFFERED = "OFFERED_LANGUAGES"


def offered() -> list[str]:
    """The codes that pages offer, English first. With one alone there is nothing to choose."""
    codes: list[str] = current_app.config[_OFFERED]
    return codes


def choices_with(kept: str | None = None) -> list[tuple[str, str]]:
    """What to choose from: each code with its name; with ``kept``, the one that is stored, so it can stay."""
    codes = offered()
    return [(code, name) for code, name in NAMES.items() if code in codes or code == kept]


def complete_in(folder: Path) -> list[str]:
    """English, and every language of which ``folder`` has a whole and finished catalogue.

    English alone has no catalogue: it is what the sentences are written in.
    """
    return [code for code in NAMES if code == "en" or _is_complete(folder, code)]


def _is_complete(folder: Path, code: str) -> bool:
    """Whether every sentence is translated, and none of them is marked as a guess (fuzzy)."""
    catalogue = folder / code / "LC_MESSAGES" / "messages.po"
    if not (catalogue.is_file() and catalogue.with_suffix(".mo").is_file()):
        return False
    given = {key for key, is_done in _messages(catalogue) if is_done}
    return all(key in given for key, _ in _messages(folder / "messages.pot"))


def _messages(catalogue: Path) -> list[tuple[object, bool]]:
    """Each sentence of a catalogue, and whether it has a finished translation in all of its forms."""
    from babel.messages.pofile import read_po  # noqa: PLC0415  # only who has a catalogue pays for it

    with catalogue.open("rb") as file:
        return [(each.id, _is_done(each.string) and not each.fuzzy) for each in read_po(file) if each.id]


def _is_done(translated: object) -> bool:
    return all(translated) if isinstance(translated, tuple | list) else bool(translated)


def init_app(app: Flask) -> None:
    """Find out once what there is to offer, for it reads the disk."""
    app.config[_OFFERED] = complete_in(Path(app.config["BABEL_TRANSLATION_DIRECTORIES"]))
