"""FreeSewing's own client of its backend, pointed at a portal instead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.others.conftest import Drive, Portal
from tests.support.cast import make_person


@pytest.fixture
def sewing(portal: Portal, drive: Drive) -> Drive:
    """Run the client: ``sewing(email=...)`` signs up, ``sewing(username=..., password=...)`` works."""

    def run(**told: Any) -> Any:
        return drive("freesewing.mjs", url=f"{portal.url}/api", **told)

    return run


def test_freesewings_client_signs_in_and_creates_reads_uses_and_removes_a_key(
    portal: Portal, sewing: Drive
) -> None:
    rosa = make_person(portal.app, "rosa")

    names = {"bobby": False, "Bobby": False, "admin": False, "rosalind": True}
    said = sewing(username=rosa.email, password=rosa.password, names=list(names))

    refused = {"wrong": (401, "signInFailed"), "unnamed": (400, "usernameMissing")}
    refused |= {"nobody": (401, "authenticationFailed"), "nameless": (400, "nameMissing")}
    assert {name: (said[name][0], said[name][1]["error"]) for name in refused} == refused
    well = ("alone", "signIn", "account", "change", "list", "read", "whoami", "ownAccount")
    assert {name: (said[name][0], said[name][1]["result"]) for name in well} == dict.fromkeys(
        well, (200, "success")
    )
    assert said["account"][1]["account"]["username"] == "rosa"
    assert said["change"][1]["account"]["bio"] == "I sew."
    assert said["names"] == names

    status, created = said["create"]
    made = created["apikey"]
    assert (status, created["result"], made["name"], made["level"]) == (201, "created", "sewing box", 4)
    assert made["userId"] == rosa.account_id
    assert [each["key"] for each in said["list"][1]["apikeys"]] == [made["key"]]
    assert {said[name][1]["apikey"]["key"] for name in ("read", "whoami")} == {made["key"]}
    assert made["secret"] not in str({name: said[name] for name in said if name != "create"})
    assert said["child"][1]["apikey"]["expiresAt"] == made["expiresAt"], "never longer than the key itself"

    assert said["remove"][0] == 204
    whoami, read = said["afterwards"]
    assert (whoami[0], whoami[1]["error"]) == (401, "apikeyRevoked")
    assert (read[0], read[1]["error"]) == (404, "notFound")


def test_freesewings_client_signs_up_and_confirms(portal: Portal, sewing: Drive) -> None:
    email = "newcomer@example.org"

    assert sewing(email=email)["signUp"] == [201, {"result": "success", "email": email}]
    link = portal.server.mailbox.last(to=email).link("/confirm/")
    said = sewing(email=email, confirmation=link.rpartition("/")[2])

    status, confirmed = said["confirm"]
    assert (status, confirmed["result"]) == (200, "success")
    assert said["account"][1]["account"]["email"] == email
    assert (said["account"][0], confirmed["account"]["consent"]) == (200, 1)
