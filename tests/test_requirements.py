"""What is installed is what was locked, and nobody looks away when it is audited."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.txt", "requirements-dev.txt")
REDIS = "requirements-redis"
"""The extra for those who count calls in Redis."""
CLIENTS = "tests/clients/others/requirements-clients"
"""What is installed apart, in an environment of its own."""


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


@pytest.mark.parametrize("lock", [*LOCKS, f"{REDIS}.txt", f"{CLIENTS}.txt"])
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    found = entries(lock)
    assert len(found) > (5 if lock == f"{REDIS}.txt" else 20)
    for entry in found:
        assert re.match(r"[a-z0-9-]+==\S+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", [*LOCKS, f"{REDIS}.txt", f"{CLIENTS}.txt"])
def test_no_lock_names_the_host_that_it_was_made_with(lock: str) -> None:
    assert "://" not in read(lock)


def test_no_package_of_npm_names_the_host_that_it_was_locked_with() -> None:
    sources = {package.get("resolved", "") for package in npm_packages().values()}
    assert [source for source in sources if ":" in source] == []


def npm_packages() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(read("package-lock.json"))["packages"]
    return found


def build_wheel(folder: Path, name: str, version: str, *wants: str) -> str:
    """Write an empty package that wants others; its line of a lock."""
    info = f"{name}-{version}.dist-info"
    about = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Provides-Extra: more"]
    files = {
        f"{info}/METADATA": "\n".join([*about, *(f"Requires-Dist: {each}" for each in wants), ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD")))
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_a_newer_release_of_what_is_locked_changes_nothing(tmp_path: Path) -> None:
    """An older pip looked for the newest release of what was asked for with an extra, and gave up."""
    build_wheel(tmp_path, "inner", "2")
    lock = build_wheel(tmp_path, "outer", "1", "inner[more]") + build_wheel(tmp_path, "inner", "1")
    (tmp_path / "requirements.txt").write_text(lock, "utf-8")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/setup.sh", tmp_path / "scripts")
    only_here = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    subprocess.run(
        ["scripts/setup.sh", "run"], cwd=tmp_path, env={**os.environ, **only_here}, check=True, timeout=100
    )
    listed = subprocess.run(
        [".venv/bin/python", "-m", "pip", "list"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert re.search(r"^inner +1$", listed.stdout, re.MULTILINE)


def test_the_clients_of_others_have_all_that_they_need() -> None:
    python = str(ROOT / ".venv-clients/bin/python")
    subprocess.run([python, "-m", "pip", "check"], check=True, timeout=60)


@pytest.mark.parametrize("lock", LOCKS)
def test_all_that_is_needed_is_locked(lock: str) -> None:
    """Dependencies are not resolved when a lock is installed, so it has to name them all."""
    locked = names(pins(lock))
    installed = {canonicalize_name(each.name): each.requires or [] for each in metadata.distributions()}
    wanted = [Requirement(line) for name in locked & installed.keys() for line in installed[name]]
    needed = {
        canonicalize_name(each.name) for each in wanted if each.marker is None or each.marker.evaluate()
    }

    assert len(needed) > 10
    assert needed <= locked
    subprocess.run([sys.executable, "-m", "pip", "check"], check=True, timeout=60)


def test_what_comes_from_npm_is_held_to_its_hash() -> None:
    for name, package in npm_packages().items():
        ours = name.startswith("tests/") or (package.get("resolved") or "").startswith("tests/")
        assert not name or ours or package["integrity"].startswith("sha512-"), name


@pytest.mark.parametrize(
    ("wanted", "lock"),
    [(f"{lock.removesuffix('.txt')}.in", lock) for lock in (*LOCKS, f"{REDIS}.txt", f"{CLIENTS}.txt")],
)
def test_everything_that_is_asked_for_is_locked(wanted: str, lock: str) -> None:
    asked = {
        re.split(r"[\[<>=! ]", line)[0]
        for line in read(wanted).splitlines()
        if line and not line.startswith(("#", "-"))
    }
    assert asked <= names(pins(lock))


def test_tests_run_with_the_versions_that_are_served() -> None:
    assert pins("requirements.txt") | pins(f"{REDIS}.txt") <= pins("requirements-dev.txt")


def test_what_counts_in_redis_is_an_extra() -> None:
    extra = {"limits", "redis"}
    assert extra <= names(pins(f"{REDIS}.txt"))
    assert not extra & names(pins("requirements.txt"))


def test_the_bill_of_materials_lists_what_is_locked() -> None:
    result = subprocess.run(
        [sys.executable, "scripts/sbom.py"], cwd=ROOT, check=True, capture_output=True, timeout=60
    )
    bill = json.loads(result.stdout)
    listed = {f"{part['name']}=={part['version']}" for part in bill["components"]}
    optional = {part["name"] for part in bill["components"] if part.get("scope") == "optional"}
    assert bill["bomFormat"] == "CycloneDX"
    assert listed == pins("requirements.txt") | pins(f"{REDIS}.txt")
    assert optional == names(listed - pins("requirements.txt"))
    assert all(part["hashes"] for part in bill["components"])


def test_continuous_integration_audits_where_it_can_see_and_says_so_where_it_cannot() -> None:
    run = read(".ci/run")
    nowhere = f"http://127.0.0.1:{free_port()}"

    assert re.search(r"if .*scripts/sees_advisories.py; then\n +make audit\nelse\n +echo ", run)
    look = subprocess.run(
        [sys.executable, "scripts/sees_advisories.py"],
        cwd=ROOT,
        env={**os.environ, "HTTPS_PROXY": nowhere, "https_proxy": nowhere},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (look.returncode, look.stderr) == (1, b"")


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
