"""Draw docs/images/architecture.svg: the floors of the house, and the ways of two requests through it.

Run by ``make drawing``. Rooms and floors are those that tests/test_layers.py holds the imports to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.test_layers import BESIDE, FLOORS

DRAWING = Path(__file__).resolve().parents[1] / "docs" / "images" / "architecture.svg"

WORDS = {
    "cli": "commands",
    "web": "pages",
    "api": "JSON",
    "jobs": "by the clock",
    "operators": "block, unblock, look into, list",
    "verify": "good or not?",
    "abuse": "excess, leaks",
    "system": "health, stats",
    "accounts": "the owners",
    "keys": "create, rotate, revoke",
    "auth": "passwords, sessions, JWT",
    "usage": "counts calls",
    "calls": "call limits",
    "mail": "outbox, links",
    "core": "transaction, audit log",
    "ratelimits": "may this be done now?",
    "models": "tables, constraints, facts about one row",
    "database": "SQLite or PostgreSQL: the last guard of each rule",
}
"""What each room is about."""
ACT = ("keys", "mail", "core", "models", "database")
"""Where the revocation of a key passes; these rooms stand on the left."""
CHECK = ("verify", "calls", "usage", "database")
"""Where the check of a key passes; these stand on the right."""

WIDTH, LEFT, RIGHT, GAP, HEIGHT = 480, 46, 434, 7, 44
STAIRS = {"act": 25, "check": WIDTH - 25}

STYLE = """
  svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
  .paper { fill: #f7f4ee; } .house { fill: #f1ece3; stroke: #e0d8ca; }
  .box { fill: #fffdfa; stroke: #8a8172; } .name { fill: #211d2b; font-weight: 600; font-size: 15px; }
  .words { fill: #5f5969; font-size: 12px; }
  .way { fill: none; stroke-width: 2.5; stroke-dasharray: 6 4; stroke-linecap: round; }
  .plain { fill: none; stroke: #8a8172; stroke-width: 1.5; } .arrow { fill: #8a8172; }
  .act { stroke: #8c6110; } .check { stroke: #3d3a8c; }
  .bead { stroke-width: 0; } .bead.act { fill: #8c6110; } .bead.check { fill: #3d3a8c; }
  .mark { fill: #ffffff; font-size: 12px; font-weight: 700; }
  text { text-anchor: middle; } .start { text-anchor: start; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #151319; } .house { fill: #1d1a23; stroke: #37323f; }
    .box { fill: #26222d; stroke: #7f788b; } .name { fill: #ece8f2; }
    .words { fill: #aaa3b6; } .plain { stroke: #7f788b; } .arrow { fill: #7f788b; }
    .act { stroke: #e3b85c; } .check { stroke: #b1aeff; }
    .bead.act { fill: #e3b85c; } .bead.check { fill: #b1aeff; } .mark { fill: #17142b; }
  }
"""


def main() -> None:
    """Write the drawing down."""
    DRAWING.write_text(draw(), "utf-8")


class Drawing:
    """Boxes, and the ways behind them."""

    def __init__(self) -> None:
        self.ways: list[str] = []
        self.boxes: list[str] = []
        self.beads: list[str] = []
        self.ends = dict.fromkeys(STAIRS, 0.0)
        self._marks = {"act": iter("1234567"), "check": iter("ABCDEFG")}

    def row(self, y: float, names: Sequence[str]) -> None:
        """Boxes of one width beside each other, the arrows between them, and the steps of ways there."""
        width = (RIGHT - LEFT + GAP) / len(names)
        edges = [LEFT - GAP / 2 + width * number for number in range(len(names) + 1)]
        middle = y + HEIGHT / 2
        for name, edge in zip(names, edges, strict=False):
            self.box(edge + GAP / 2, y, width - GAP, name, WORDS[name])
        for left, right, edge in zip(names, names[1:], edges[1:], strict=False):
            for way in ((left, right), (right, left)):
                if way in BESIDE:
                    self.arrow(edge, middle, 1 if way[0] == left else -1)
        self.enter("act", middle, [edge for name, edge in zip(names, edges, strict=False) if name in ACT])
        passed = [edge for name, edge in zip(names, edges[1:], strict=True) if name in CHECK]
        self.enter("check", middle, passed[::-1])

    def arrow(self, x: float, y: float, towards: int) -> None:
        """A small arrow to the box beside, right (1) or left (-1)."""
        self.beads.append(
            f'<path class="arrow" d="M{x - 4 * towards:g} {y - 6:g}l{8 * towards} 6l{-8 * towards} 6z"/>'
        )

    def box(self, x: float, y: float, width: float, name: str, words: str) -> None:
        """A box with its name and what it is about."""
        middle = x + width / 2
        self.boxes += [
            f'<rect class="box" x="{x:g}" y="{y:g}" width="{width:g}" height="{HEIGHT}" rx="7"/>',
            f'<text class="name" x="{middle:g}" y="{y + 19:g}">{name}</text>',
            f'<text class="words" x="{middle:g}" y="{y + 35:g}">{words}</text>',
        ]

    def words(self, x: float, y: float, words: str, kind: str = "words") -> None:
        """A line of text."""
        self.boxes.append(f'<text class="{kind}" x="{x:g}" y="{y:g}">{words}</text>')

    def house(self, top: float, bottom: float) -> None:
        """The walls around the rooms, behind all that was drawn so far."""
        wall = (
            f'<rect class="house" x="9" y="{top:g}" width="{WIDTH - 18}" height="{bottom - top:g}" rx="12"/>'
        )
        self.ways.insert(0, wall)
        self.words(WIDTH / 2, top + 22, "services: the rules, and the only code that commits")

    def line(self, path: str, kind: str) -> None:
        """A line that runs behind the boxes."""
        self.ways.append(f'<path class="{kind}" d="{path}"/>')

    def bead(self, x: float, y: float, way: str) -> None:
        """The next step of a way."""
        mark = next(self._marks[way])
        self.beads += [
            f'<circle class="bead {way}" cx="{x:g}" cy="{y:g}" r="9"/>',
            f'<text class="mark" x="{x:g}" y="{y + 4.3:g}">{mark}</text>',
        ]

    def enter(self, way: str, y: float, edges: list[float]) -> None:
        """Let a way come from its stairs to these edges of boxes, one step at each."""
        if edges:
            self.line(f"M{STAIRS[way]:g} {y:g}H{edges[-1]:g}", f"way {way}")
            self.ends[way] = y
        for edge in edges:
            self.bead(edge, y, way)

    def whole(self, height: float) -> str:
        """The picture."""
        size = f'viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH * 1.4:g}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
            '<title id="title">The floors of the house, and the ways of two requests through it</title>',
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height:g}" rx="14"/>',
            *self.ways,
            *self.boxes,
            *self.beads,
            "</svg>\n",
        ]
        return "\n".join(parts)


def draw() -> str:
    """The drawing, as SVG."""
    drawing = Drawing()
    cell = (RIGHT - LEFT + GAP) / 4
    columns = [LEFT - GAP / 2 + cell * (number + 0.5) for number in range(4)]
    for x, words in zip(columns, ("a shell", "a browser", "a script", "a timer"), strict=True):
        drawing.words(x, 24, words)
    for x in (columns[0], columns[3]):
        drawing.line(f"M{x:g} 32V118", "plain")
    drawing.box(LEFT + cell, 54, 2 * cell - GAP, "http", "guards every request")
    for above in (48, 108):
        drawing.bead(columns[1], above, "act")
        drawing.bead(columns[2], above, "check")
    y = draw_floors(drawing, [["cli", "web", "api", "jobs"]], 118)
    rooms = [sorted(floor, key=in_order) for floor in reversed(FLOORS)]
    top, y = y + 28, draw_floors(drawing, rooms, y + 62)
    drawing.house(top, y + 4)
    y = draw_floors(drawing, [["models"], ["database"]], y + 20)
    descend(drawing, "act", columns[1], top - 19)
    descend(drawing, "check", columns[2], top - 19)
    for x, way, words in (
        (LEFT, "act", "revoke a key, in a browser"),
        (252, "check", "check a key, from a script"),
    ):
        drawing.line(f"M{x:g} {y + 12:g}h26", f"way {way}")
        drawing.words(x + 34, y + 16, words, "words start")
    return drawing.whole(y + 34)


def draw_floors(drawing: Drawing, floors: Sequence[Sequence[str]], y: float) -> float:
    """Draw floors, the top one first; returns where the next one would begin."""
    for names in floors:
        drawing.row(y, names)
        y += HEIGHT + 10
    return y


def in_order(room: str) -> tuple[int, str]:
    """Where a room stands on its floor: those that a way passes are at its side."""
    if room in CHECK:
        return len(ACT) + len(CHECK) - CHECK.index(room), room
    return -1 if room in ACT else 0, room


def descend(drawing: Drawing, way: str, x: float, turn: float) -> None:
    """Lead a way from its caller through its door to its stairs, and down to its last step."""
    stairs = STAIRS[way]
    bend = 8 if stairs > x else -8
    path = f"M{x:g} 32V{turn - 8:g}q0 8 {bend} 8H{stairs - bend}q{bend} 0 {bend} 8V{drawing.ends[way]:g}"
    drawing.line(path, f"way {way}")


if __name__ == "__main__":
    main()
