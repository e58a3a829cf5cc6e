"""The colours of static/app.css keep the contrasts of WCAG 2.2, in light and in dark."""

import re
from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from config_looks import DARK, LIGHT, THREAD, Shades, accent_of

STYLESHEET = Path(__file__).parents[1] / "static" / "app.css"
TOKEN = re.compile(r"--([a-z-]+):\s*(#[0-9a-f]{6});")

TEXT = 4.5
EDGE = 3.0

GROUNDS = ("paper", "surface", "sunk")
TEXT_PAIRS = [
    *((text, ground) for text in ("ink", "soft", "thread") for ground in GROUNDS),
    *(("thread-deep", ground) for ground in GROUNDS),
    *(("ink", f"{kind}-ground") for kind in ("ok", "warn", "bad", "brass", "thread")),
    *((kind, f"{kind}-ground") for kind in ("ok", "warn", "bad", "brass", "thread")),
    ("on-thread", "thread"),
    ("on-thread", "thread-deep"),
    ("on-bad", "bad"),
    ("bad", "surface"),
    ("bad", "paper"),
    ("brass", "surface"),
    ("surface", "brass"),
]
EDGE_PAIRS = [
    *((edge, ground) for edge in ("edge", "thread", "brass", "bad") for ground in GROUNDS),
    ("edge", "thread-ground"),
    ("brass", "brass-ground"),
    ("ok", "sunk"),
    ("warn", "sunk"),
]


def tokens(scheme: str) -> dict[str, str]:
    """The colours of one scheme by name; dark overrides light, as in the browser."""
    light, dark = STYLESHEET.read_text().split("@media screen and (prefers-color-scheme: dark)", 1)
    found = dict(TOKEN.findall(light))
    if scheme == "dark":
        found |= dict(TOKEN.findall(dark.split("/* ---------- Base", 1)[0]))
    return found


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, 0 to 1, as WCAG 2.2 defines it."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("scheme", "shades"), [("light", THREAD.light), ("dark", THREAD.dark)])
def test_mails_have_the_accent_of_the_pages(scheme: str, shades: Shades) -> None:
    found = tokens(scheme)
    names = ("thread", "thread-deep", "thread-ground", "on-thread")
    assert astuple(shades) == tuple(found[name] for name in names)


def test_an_accent_is_measured_on_the_grounds_that_there_are() -> None:
    for scheme, known in (("light", LIGHT), ("dark", DARK)):
        found = tokens(scheme)
        assert set(known) == {found[name] for name in (*GROUNDS, "rail", "hover", "lift")}


@pytest.mark.parametrize("colour", ["#3d3a8c", "#00664a", "#000000", "#a6261d", "#7a4d00", "#6b4fa0,#d0b0ff"])
def test_what_is_mixed_of_an_accent_can_be_read(colour: str) -> None:
    accent = accent_of(colour, SimpleNamespace(field_name="accent"))
    assert accent
    for scheme, shades in (("light", accent.light), ("dark", accent.dark)):
        ink, grounds = tokens(scheme)["ink"], LIGHT if scheme == "light" else DARK
        assert all(contrast(each, on) >= TEXT for each in (shades.thread, shades.deep) for on in grounds)
        assert all(contrast(shades.on, each) >= TEXT for each in (shades.thread, shades.deep))
        assert contrast(shades.thread, shades.ground) >= TEXT
        assert contrast(ink, shades.ground) >= TEXT


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS)
def test_text_is_readable(scheme: str, text: str, ground: str) -> None:
    colours = tokens(scheme)
    assert contrast(colours[text], colours[ground]) >= TEXT


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGE_PAIRS)
def test_edges_of_controls_can_be_seen(scheme: str, edge: str, ground: str) -> None:
    colours = tokens(scheme)
    assert contrast(colours[edge], colours[ground]) >= EDGE


def test_dark_restates_every_colour() -> None:
    dark = STYLESHEET.read_text().split("@media screen and (prefers-color-scheme: dark)", 1)[1]
    restated = dict(TOKEN.findall(dark.split("/* ---------- Base", 1)[0]))
    assert restated.keys() == tokens("light").keys()


def test_black_on_white_is_twenty_one_to_one() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0
