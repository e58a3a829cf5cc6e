"""The operator's own colour and logo, checked at the start: pages stay easy to read, and no drawing acts."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree as ET

from pydantic import ValidationInfo

from config_values import ConfigurationError, name_of

LEAST_CONTRAST = 4.5
"""Of text on its ground (WCAG 2.2, 1.4.3)."""
LIGHT = ("#f7f4ee", "#fffdfa", "#f1ece3", "#efeae0", "#faf6ef")
DARK = ("#151319", "#1c1922", "#26222d", "#110f15", "#221e29", "#242030")
"""The grounds of the pages, as static/app.css has them."""
LARGEST_LOGO = 256 * 1024
MOST_PIXELS = 4096
_COLOUR = re.compile(r"#([0-9a-f]{3}|[0-9a-f]{6})")
_PNG = b"\x89PNG\r\n\x1a\n"
_SVG = "{http://www.w3.org/2000/svg}"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_DRAWING = (
    "svg g defs title desc metadata symbol use path rect circle ellipse line polyline polygon text tspan "
    "linearGradient radialGradient stop clipPath mask pattern marker style filter feBlend feColorMatrix "
    "feComposite feFlood feGaussianBlur feMerge feMergeNode feOffset feDropShadow"
)
_STILL = frozenset(_DRAWING.split())
"""What draws, and neither runs, moves, embeds nor leads anywhere."""
_REACHES_OUT = re.compile(r"@import|url\(\s*['\"]?(?!#)|expression|javascript:|\\", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shades:
    """An accent on one kind of ground: itself, under the pointer, as a ground, and what stands on it."""

    thread: str
    deep: str
    ground: str
    on: str


@dataclass(frozen=True, slots=True)
class Accent:
    """The accent in the light and in the dark."""

    light: Shades
    dark: Shades


THREAD = Accent(
    Shades("#3d3a8c", "#2b2869", "#ebeaf8", "#ffffff"), Shades("#b1aeff", "#cbc9ff", "#2a2749", "#17142b")
)
"""The accent of static/app.css, where the operator has none of their own."""


@dataclass(frozen=True, slots=True)
class Logo:
    """A drawing that stands beside the name."""

    content: bytes = field(repr=False)
    type: str
    version: str
    width: float
    height: float

    @property
    def is_square(self) -> bool:
        """Whether it can stand in a tab of the browser."""
        return 0.8 <= self.width / self.height <= 1.25


def accent_of(text: str, info: ValidationInfo) -> Accent | None:
    """One colour, or one for the light and one for the dark; the other shades are mixed of it."""
    if not text:
        return None
    colours = [each.strip().lower() for each in text.split(",")]
    if len(colours) > 2 or not all(map(_COLOUR.fullmatch, colours)):
        raise ConfigurationError(
            f"{name_of(info)} must be a colour such as #3d3a8c, or two with a comma: "
            "for light pages and for dark ones."
        )
    light, *others = map(_in_full, colours)
    _refuse_pale(name_of(info), light, LIGHT, "light", "darker")
    dark = others[0] if others else _until_it_reads(light, "#ffffff", DARK)
    _refuse_pale(name_of(info), dark, DARK, "dark", "lighter")
    return Accent(_shades(light, LIGHT, "#000000", 0.1), _shades(dark, DARK, "#ffffff", 0.2))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def logo_of(text: str, info: ValidationInfo) -> Logo | None:
    """The drawing in a file: PNG, or SVG that holds no script and takes nothing from elsewhere."""
    if not text:
        return None
    try:
        with Path(text).open("rb") as file:
            content = file.read(LARGEST_LOGO + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise ConfigurationError(f"{name_of(info)} names a file that can't be read: {reason}.") from error
    if len(content) > LARGEST_LOGO:
        raise ConfigurationError(f"{name_of(info)} is larger than {LARGEST_LOGO // 1024} kB.")
    size = _size_of_png(content) if content.startswith(_PNG) else _size_of_svg(content, name_of(info))
    if size is None or not all(0 < side <= MOST_PIXELS for side in size):
        raise ConfigurationError(
            f"{name_of(info)} must be a PNG or an SVG (with a viewBox) of up to {MOST_PIXELS} pixels a side."
        )
    kind = "image/png" if content.startswith(_PNG) else "image/svg+xml"
    return Logo(content, kind, sha256(content).hexdigest()[:12], *size)


def _in_full(colour: str) -> str:
    return colour if len(colour) == 7 else "#" + "".join(2 * each for each in colour[1:])


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _luminance(colour: str) -> float:
    parts = (channel / 255 for channel in _channels(colour))
    linear = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _mix(colour: str, other: str, share: float) -> str:
    """A colour with a share of another one in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _least(colour: str, grounds: Iterable[str]) -> float:
    return min(contrast(colour, ground) for ground in grounds)


def _until_it_reads(colour: str, towards: str, grounds: Iterable[str]) -> str:
    """The colour, mixed with ever more of another until it can be read on every ground."""
    mixed = (_mix(colour, towards, step / 20) for step in range(21))
    return next((each for each in mixed if _least(each, grounds) >= LEAST_CONTRAST), towards)


def _refuse_pale(name: str, colour: str, grounds: Iterable[str], scheme: str, better: str) -> None:
    found = _least(colour, grounds)
    if found < LEAST_CONTRAST:
        raise ConfigurationError(
            f"{name}: {colour} has a contrast of {int(found * 10) / 10} to 1 on {scheme} pages, and text "
            f"needs {LEAST_CONTRAST}. Take a {better} one."
        )


def _shades(colour: str, grounds: tuple[str, ...], towards: str, tint: float) -> Shades:
    surface = grounds[1]
    tints = (_mix(surface, colour, tint * step / 10) for step in range(10, -1, -1))
    ground = next(each for each in tints if contrast(colour, each) >= LEAST_CONTRAST)
    deep = _mix(colour, towards, 0.25)
    on = max("#ffffff", "#121016", key=lambda each: min(contrast(each, colour), contrast(each, deep)))
    return Shades(colour, deep, ground, on)


def _size_of_png(content: bytes) -> tuple[float, float] | None:
    if len(content) < 33 or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _size_of_svg(content: bytes, name: str) -> tuple[float, float] | None:
    """The size in its viewBox; None when it is no SVG. ConfigurationError names what must not be in it."""
    try:
        text = content.decode("utf-8-sig")
        if re.search("<!(DOCTYPE|ENTITY)|<\\?xml-stylesheet", text, re.IGNORECASE):
            raise ConfigurationError(f"{name} declares a DOCTYPE, entities or a stylesheet. Save it without.")
        root = ET.fromstring(text.strip())  # noqa: S314  # nothing is declared in it
    except (ValueError, ET.ParseError):
        return None
    if root.tag != f"{_SVG}svg":
        return None
    for element in root.iter():
        if found := _acting(element):
            raise ConfigurationError(f"{name} holds {found}. Save it without: a logo only draws.")
    box = re.fullmatch(r"[\d.+-]+[\s,]+[\d.+-]+[\s,]+([\d.]+)[\s,]+([\d.]+)", root.get("viewBox", "").strip())
    try:
        return (float(box[1]), float(box[2])) if box else None
    except ValueError:
        return None


def _acting(element: ET.Element) -> str | None:
    """What in an element runs, or takes something from elsewhere."""
    namespace, _, tag = element.tag.rpartition("}")
    if f"{namespace}}}" == _XHTML or (f"{namespace}}}" == _SVG and tag not in _STILL):
        return f"<{tag[:20]}>"
    if tag == "style" and _REACHES_OUT.search(element.text or ""):
        return "a style that takes something from elsewhere"
    for name, value in element.attrib.items():
        bare = name.rpartition("}")[2].lower()
        if bare.startswith("on"):
            return f"the handler {bare[:20]}"
        if (bare in {"href", "src"} and not value.startswith("#")) or _REACHES_OUT.search(value):
            return f"a reference to elsewhere ({bare[:20]})"
    return None
