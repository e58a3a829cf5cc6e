"""docs/clients.md lists the clients that are run here, at the versions that are locked."""

from __future__ import annotations

import json
import re

from tests.support.databases import ROOT

ROW = re.compile(r"^\| ([\w@/-]+) \| ([\w.']+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
LOCK = ROOT / "tests/clients/others/requirements-clients"
HELPERS = {"react", "react-dom", "typescript", "@types/node", "@freesewing/config", "requests", "vnu-jar"}
HELPERS |= {"@sparticuz/chromium", "dejavu-fonts-ttf", "stylelint"}
"""What is locked beside the clients, for them or for other tests."""


def locked() -> dict[str, str]:
    """The version of everything that the locks of clients were asked for, by its name in small letters."""
    asked = re.findall(r"^[a-z][a-z-]*$", LOCK.with_suffix(".in").read_text("utf-8"), re.MULTILINE)
    pinned = re.findall(r"^([a-z-]+)==(\S+)", LOCK.with_suffix(".txt").read_text("utf-8"), re.MULTILINE)
    from_npm = json.loads((ROOT / "package.json").read_text("utf-8"))["devDependencies"]
    return {name: version for name, version in pinned if name in asked} | from_npm


def test_every_client_that_is_locked_is_listed_with_its_version() -> None:
    page = (ROOT / "docs/clients.md").read_text("utf-8").partition("## Clients that others wrote")[2]
    listed = {name.lower(): version for name, version in ROW.findall(page) if name != "client"}

    assert listed.pop("prometheus") == "Debian's"
    assert listed == {name: version for name, version in locked().items() if name not in HELPERS}
