"""Write the bill of materials (CycloneDX 1.6, JSON) of what is served to standard output."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]
PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)==(\S+)((?:.*\\\n)(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def read_lock(text: str) -> list[Component]:
    """The pinned packages of a lock, with the hashes that pip will hold them to."""
    return [
        Component(
            type=ComponentType.LIBRARY,
            name=name,
            version=version,
            bom_ref=f"{name}=={version}",
            purl=PackageURL("pypi", None, name, version),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in HASH.findall(rest)],
        )
        for name, version, rest in PINNED.findall(text)
    ]


def make_bom() -> str:
    """The bill of the project, as JSON."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    portal = Component(type=ComponentType.APPLICATION, name=project["name"], version=project["version"])
    parts = read_lock((ROOT / "requirements.txt").read_text("utf-8"))
    names = {part.name for part in parts}
    for extra in read_lock((ROOT / "requirements-redis.txt").read_text("utf-8")):
        if extra.name not in names:
            extra.scope = ComponentScope.OPTIONAL
            parts.append(extra)
    bom = Bom(components=parts)
    bom.metadata.component = portal
    bom.register_dependency(portal, parts)
    return JsonV1Dot6(bom).output_as_string(indent=2)


if __name__ == "__main__":
    sys.stdout.write(make_bom() + "\n")
