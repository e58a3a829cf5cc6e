"""Whoever reads the database reads the same one, wherever the portal was started (row 79)."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from portal.runtime import runtime_of
from portal.services.core.outcomes import Outcome
from portal.services.keys import creation, revocation
from tests.conftest import MakeApp
from tests.support.cast import make_person
from tests.support.databases import upgrade


@pytest.mark.sqlite_only(reason="a database on a server has no path")
def test_an_old_copy_in_the_working_directory_accepts_no_revoked_key(
    make_app: MakeApp, instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = make_app(PORTAL_DATABASE_URL="sqlite:///rel.db")
    upgrade(f"sqlite:///{instance / 'rel.db'}", instance)
    alice, verifier = make_person(app, "alice"), runtime_of(app).verifier
    with app.app_context():
        key, secret = creation.create_key(alice.actor, name="ci", level=1, life=timedelta(days=1))
        shutil.copy(instance / "rel.db", tmp_path / "rel.db")
        assert verifier.decide(str(key.id), secret).outcome is Outcome.GOOD
        revocation.revoke_key(alice.actor, UUID(str(key.id)))

        assert verifier.decide(str(key.id), secret).outcome is Outcome.REVOKED
