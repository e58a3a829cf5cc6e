"""A setting that can't be used is told in one sentence that names it, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import load_settings
from config_values import ConfigurationError

USELESS = {
    "BASE_URL": (
        "keys.example.org",
        "http://[::1",
        "http://localhost:port",
        "http://localhost:99999",
        "http://localhost:0",
        "http://local host",
        "https://schlüssel.example",
        "http://localhost/portal",
    ),
    "DATABASE_URL": (
        "mysql://portal@localhost/portal",
        "postgres://portal@localhost/portal",
        "postgresql://portal@localhost/portal",
        "postgresql+psycopg://portal@localhost:port/portal",
        "portal.db",
    ),
    "SECURITY_CONTACT": ("security@example.org", "mailto:a@example.org\r\nExpires: never", "javascript:x"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in USELESS for value in USELESS[name]])
def test_what_cannot_be_used_is_told(tmp_path: Path, name: str, value: str) -> None:
    refusal = refused(tmp_path, **{f"PORTAL_{name}": value})

    assert f"PORTAL_{name}" in refusal
    assert "\n" not in refusal


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00" * 20)

    assert "PORTAL_SECRET_KEY_FILE" in refused(tmp_path, PORTAL_SECRET_KEY_FILE=str(tmp_path / "key"))


def test_an_instance_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "secret_key").mkdir(parents=True)

    for place in ("file", "file/below", "taken"):
        assert "PORTAL_INSTANCE_PATH" in refused(tmp_path, PORTAL_INSTANCE_PATH=str(tmp_path / place))


def test_a_base_url_is_the_same_in_any_letters(tmp_path: Path) -> None:
    settings = load_settings(
        {"PORTAL_INSTANCE_PATH": str(tmp_path), "PORTAL_BASE_URL": "HTTP://LocalHost:80/"}
    )

    assert settings.base_url == "http://localhost:80"


def refused(home: Path, **changes: str) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        load_settings({"PORTAL_INSTANCE_PATH": str(home / "instance"), **changes})
    return str(refusal.value)
