"""What is installed is what was locked, and nobody looks away when it is audited."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def entries(name: str) -> list[str]:
    """The lock's entries, each with its hashes, without comments and in one line."""
    text = re.sub(r"^\s*#.*\n", "", read(name), flags=re.MULTILINE)
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def pins(name: str) -> set[str]:
    return {entry.split()[0] for entry in entries(name)}


def names(pinned: set[str]) -> set[str]:
    return {pin.partition("==")[0] for pin in pinned}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    found = entries(lock)
    assert len(found) > 20
    for entry in found:
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", [*LOCKS, "package-lock.json"])
def test_no_lock_names_the_host_that_it_was_made_with(lock: str) -> None:
    assert "://" not in read(lock)


def test_the_checker_of_html_is_held_to_its_hash() -> None:
    packages = json.loads(read("package-lock.json"))["packages"]
    assert all(package["integrity"].startswith("sha512-") for name, package in packages.items() if name)


@pytest.mark.parametrize(
    ("wanted", "lock"), [("requirements.in", LOCKS[0]), ("requirements-dev.in", LOCKS[1])]
)
def test_everything_that_is_asked_for_is_locked(wanted: str, lock: str) -> None:
    asked = {
        re.split(r"[\[<>=! ]", line)[0]
        for line in read(wanted).splitlines()
        if line and not line.startswith(("#", "-"))
    }
    assert asked <= names(pins(lock))


def test_tests_run_with_the_versions_that_are_served() -> None:
    assert pins("requirements.txt") <= pins("requirements-dev.txt")


def test_the_bill_of_materials_lists_what_is_locked() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/sbom.py"], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    bill = json.loads(result.stdout)
    listed = {f"{part['name']}=={part['version']}" for part in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert listed == pins("requirements.txt")
    assert all(part["hashes"] for part in bill["components"])


def test_a_worker_pays_for_no_cryptography() -> None:
    """It takes 12 MB, and only the receiver of GitHub's reports needs it, when one comes."""
    look = "import sys, portal.services.jwt; print('cryptography' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    )
    assert result.stdout.strip() == "False"


def test_an_audit_that_sees_nothing_fails() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    command = re.search(r"\$\(BIN\)/(pip-audit .*?)\n\n", read("Makefile"), re.DOTALL)
    assert command
    result = subprocess.run(
        [sys.executable, "-m", *command[1].replace("pip-audit", "pip_audit", 1).replace("\\\n", " ").split()],
        cwd=ROOT,
        env={**os.environ, "HTTPS_PROXY": nowhere, "https_proxy": nowhere},
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert result.returncode != 0
