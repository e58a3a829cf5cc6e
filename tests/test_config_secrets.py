"""A secret setting shows nowhere: not printed, not in a refusal, nor in whatever a refusal came from."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from config import Settings, load_settings, variables
from config_env_file import load_env_file
from config_values import ConfigurationError
from portal.app import create_app
from portal.transports import create_transport
from tests.support.settings import PEPPERS, settings_for

HUSH = "hush7Kq2Zm9LpW4vB8nRt3YsC6dF1gHj5a"
"""What may not show; it is strong, so that each refusal below is for another reason."""
NOT_UTF8 = "\ud800"
WRONG = {
    "PORTAL_DATABASE_URL": (
        f"mysql://me:{HUSH}@db/x",
        f"postgresql+psycopg://me@db:{HUSH}/x",
        f"sqlite:///x?key={HUSH}",
        f"{HUSH}\n",
    ),
    "PORTAL_LIMITS_STORE": (f"redis://:{HUSH}@[h", f"redis://h:{HUSH}", f"{HUSH}://x", f"memory://{HUSH}"),
    "PORTAL_MAIL_URL": (
        f"smtp://u:{HUSH}/@h",
        f"smtp://u:{HUSH}@[h",
        f"smtp://h:{HUSH}",
        f"http://u:{HUSH}@h",
    ),
    "PORTAL_PEPPERS": (
        HUSH,
        f"p1:{HUSH}{NOT_UTF8}",
        f"{HUSH}:{HUSH}",
        f"p1:{HUSH},p1:{HUSH}",
        f"p1:{HUSH[:9]}",
    ),
    "PORTAL_SECRET_KEY": (HUSH + NOT_UTF8, HUSH[:9], HUSH[:9] * 9),
}
SECRET = sorted(name for name, field in variables().items() if hasattr(field.annotation, "get_secret_value"))


def chain(error: BaseException | None) -> Iterator[str]:
    """All that is known of an error: its words, those of what it came from, and what these hold."""
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)))
        yield from traceback.TracebackException.from_exception(error).format()
        yield from chain(error.__cause__)
        error = error.__context__


def test_the_table_has_every_secret_setting() -> None:
    assert sorted(WRONG) == SECRET


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
@pytest.mark.parametrize("by_file", [False, True])
def test_a_refused_secret_is_neither_told_nor_carried_along(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    name: str,
    value: str,
    by_file: bool,
) -> None:
    given = settings_for("sqlite:///portal.db", tmp_path / "instance")
    if by_file:
        (tmp_path / "kept").write_bytes(value.encode("utf-8", "surrogatepass"))
        given |= {f"{name}_FILE": str(tmp_path / "kept"), name: ""}
    else:
        given[name] = value

    with pytest.raises(ConfigurationError) as refused:
        create_transport(create_app(given).config["PORTAL"])

    told = [*chain(refused.value), *capsys.readouterr(), caplog.text]
    assert name in told[0]
    assert not [each for each in told if HUSH[:9] in each]


def test_an_env_file_that_is_no_text_is_not_carried_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "env").write_bytes(f"PORTAL_SECRET_KEY={HUSH}\n".encode() + b"\xff")
    monkeypatch.setenv("PORTAL_ENV_FILE", str(tmp_path / "env"))

    with pytest.raises(ConfigurationError) as refused:
        load_env_file()

    assert not [each for each in chain(refused.value) if HUSH in each]


def test_a_damaged_secret_of_the_instance_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for name in ("secret_key", "peppers"):
        (tmp_path / name).write_bytes(f"p1:{HUSH}".encode() + b"\xff")
        with pytest.raises(ConfigurationError, match=f"PORTAL_{name.upper()}") as refused:
            load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path)})
        assert not [each for each in chain(refused.value) if HUSH in each]
        (tmp_path / name).unlink()


def test_no_secret_is_printed_however_the_settings_are(tmp_path: Path) -> None:
    secrets = {
        "PORTAL_DATABASE_URL": "postgresql+psycopg://me:hush1@db/x",
        "PORTAL_LIMITS_STORE": "redis://:hush2@h:1",
        "PORTAL_MAIL_URL": "smtp://me:hush3@h",
        "PORTAL_PEPPERS": f"p1:{HUSH}",
        "PORTAL_SECRET_KEY": HUSH,
    }
    assert sorted(secrets) == SECRET
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path), **secrets})
    each = [getattr(settings, name.removeprefix("PORTAL_").lower()) for name in SECRET]

    for printed in (
        *(
            repr(settings),
            str(settings),
            f"{settings}",
            settings.model_dump_json(),
            repr(settings.model_dump()),
        ),
        *(form for secret in each for form in (repr(secret), str(secret), f"{secret}")),
    ):
        assert "hush" not in printed


def test_settings_cannot_be_changed_and_a_misuse_shows_nothing_either(tmp_path: Path) -> None:
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path), "PORTAL_PEPPERS": PEPPERS})

    with pytest.raises(ValidationError, match="frozen") as refused:
        settings.secret_key = SecretStr(HUSH)
    assert not [each for each in chain(refused.value) if HUSH in each]
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(HUSH)
    assert HUSH not in str(refused.value)
