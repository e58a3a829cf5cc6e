"""Clients that programs of others make of the portal's OpenAPI."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.others.conftest import DRIVERS, Drive, Portal, run_program
from tests.clients.others.test_oauth import DEAD, tokens_of, told_to
from tests.support.cast import Person, make_person
from tests.support.databases import ROOT

BIN = ROOT / ".venv-clients/bin"
NODE = Path(sys.executable).parent / "node"
MODULES = ROOT / "node_modules"
WAY = "client_secret_basic"


@pytest.fixture(scope="module")
def folder(portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where openapi-python-client has made its package."""
    home = tmp_path_factory.mktemp("generated")
    created = ["--meta", "none", "--output-path", str(home / "chatelaine_api"), "--fail-on-warning"]
    command = [str(BIN / "openapi-python-client"), "generate", "--url", f"{portal.url}/api/openapi.json"]
    run_program(["env", f"PATH={BIN}:/usr/bin:/bin", *command, *created], home)
    return str(home)


def live_as(person: Person) -> dict[str, str]:
    return {"username": person.email, "password": person.password}


def test_a_client_made_for_python_lives_a_keys_life(portal: Portal, drive: Drive, folder: str) -> None:
    paul = make_person(portal.app, "paul")

    found = drive("generated_client.py", folder=folder, url=portal.url, **live_as(paul))

    status, created = found["create"]
    made = created["apikey"]
    assert (status, made["name"], made["level"], made["userId"]) == (201, "generated", 4, paul.account_id)
    assert [each["key"] for each in found["list"][1]["apikeys"]] == [made["key"]]
    assert {found[name][1]["apikey"]["key"] for name in ("read", "whoami")} == {made["key"]}
    assert (found["rotate"][0], found["rotate"][1]["replaces"]) == (201, made["key"])
    assert found["remove"] == [204, None]
    refused = {
        "wrong": (401, "signInFailed"),
        "refused": (400, "keyLevelExceedsRoleLevel"),
        "old": (401, "apikeyRevoked"),
        "removed": (401, "apikeyRevoked"),
    }
    assert {name: (found[name][0], found[name][1]["error"]) for name in refused} == refused


def test_a_client_made_for_python_asks_about_tokens(portal: Portal, drive: Drive, folder: str) -> None:
    good, tokens = tokens_of(portal)

    found = drive("generated_client.py", folder=folder, **told_to(portal, tokens, WAY))

    alive = {name: found["answers"].pop(name) for name in ("good", "good, with its id")}
    assert {(status, told["active"], told["client_id"]) for status, told in alive.values()} == {
        (200, True, good.id)
    }
    assert found["answers"] == {name: [200, {"active": False}] for name in DEAD}
    assert found["many"] == [True, True, False, False, False, False]
    assert (found["revoke"][0], found["after"]) == (200, [200, {"active": False}])
    assert {name: (found[name][0], found[name][1]["error"]) for name in ("wrong", "low")} == {
        "wrong": (401, "invalid_client"),
        "low": (403, "insufficient_scope"),
    }


def test_a_client_made_for_typescript_compiles_strictly_and_works(
    portal: Portal, drive: Drive, tmp_path: Path
) -> None:
    rita = make_person(portal.app, "rita")
    _good, tokens = tokens_of(portal)
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "package.json").write_text('{"type": "module"}', "utf-8")
    shutil.copy(DRIVERS / "typed_client.ts", tmp_path)

    make = [MODULES / "openapi-typescript/bin/cli.js", f"{portal.url}/api/openapi.json", "-o", "schema.ts"]
    check = [MODULES / "typescript/bin/tsc", "--strict", "--noEmit", "--noUncheckedIndexedAccess"]
    check += ["--module", "nodenext", "--target", "esnext", "--skipLibCheck", "--allowImportingTsExtensions"]
    for command in (make, [*check, "typed_client.ts"]):
        run_program([str(NODE), *map(str, command)], tmp_path)
    found = drive(str(tmp_path / "typed_client.ts"), **told_to(portal, tokens, WAY), **live_as(rita))

    who = "alice may level:0 level:1 level:2"
    alive = dict.fromkeys(("good", "good, with its id"), who)
    assert found["answers"] == alive | dict.fromkeys(DEAD, "inactive")
    assert (found["revoked"], found["after"]) == ("success", "inactive")
    assert found["wrong"] == "401 invalid_client: authenticationFailed"
    live = {"listed": ["typed"], "whoami": 3, "removed": 204, "afterwards": "apikeyRevoked"}
    assert found["live"] == live
