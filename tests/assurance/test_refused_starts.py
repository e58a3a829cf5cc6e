"""A portal that would not be safe does not start, and says why in one line (row 44)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from config import load_settings
from config_strength import FEWEST_BITS, estimate_bits
from config_values import ConfigurationError
from portal.app import create_app
from tests.support.databases import ROOT
from tests.support.settings import PEPPERS, SECRET_KEY

PUBLIC = {
    "PORTAL_BASE_URL": "https://keys.example",
    "PORTAL_SECRET_KEY": SECRET_KEY,
    "PORTAL_PEPPERS": PEPPERS,
}
REFUSED: dict[str, tuple[dict[str, str | None], str]] = {
    "http with a public host": ({"PORTAL_BASE_URL": "http://keys.example"}, "PORTAL_BASE_URL"),
    "http with a public address": ({"PORTAL_BASE_URL": "http://192.0.2.1:8000"}, "PORTAL_BASE_URL"),
    "debug": ({"FLASK_DEBUG": "1"}, "FLASK_DEBUG"),
    "no secret key": ({"PORTAL_SECRET_KEY": None}, "PORTAL_SECRET_KEY"),
    "no peppers": ({"PORTAL_PEPPERS": None}, "PORTAL_PEPPERS"),
    "a short secret key": ({"PORTAL_SECRET_KEY": "x7Kq2"}, "PORTAL_SECRET_KEY"),
    "a secret key that is random, and short": (
        {"PORTAL_SECRET_KEY": "x7Kq2Zm9LpW4vB8nRt3YsC6dF1gHj5a"},
        "PORTAL_SECRET_KEY",
    ),
    "a secret key of one letter": ({"PORTAL_SECRET_KEY": "a" * 64}, "PORTAL_SECRET_KEY"),
    "a secret key that repeats": ({"PORTAL_SECRET_KEY": "x7Kq2Zm9Lp" * 6}, "PORTAL_SECRET_KEY"),
    "a secret key along the keyboard": (
        {"PORTAL_SECRET_KEY": "qwertyuiopASDFGHJKLzxcvbnm0123456789"},
        "PORTAL_SECRET_KEY",
    ),
    "a secret key of an example": (
        {"PORTAL_SECRET_KEY": "please-change-this-secret-key-to-a-long-random-string-123"},
        "PORTAL_SECRET_KEY",
    ),
    "a pepper that was to be changed": ({"PORTAL_PEPPERS": f"p1:{'changeme-' * 6}"}, "PORTAL_PEPPERS"),
    "an old pepper that is weak": (
        {"PORTAL_PEPPERS": f"{PEPPERS},p0:abcdefghijklmnopqrstuvwxyz0123456789"},
        "PORTAL_PEPPERS",
    ),
    "a door to other machines without a name": (
        {"PORTAL_BASE_URL": None, "PORTAL_HOST": "0.0.0.0"},  # it is refused
        "PORTAL_HOST",
    ),
    "a door to others, by IPv6": ({"PORTAL_BASE_URL": None, "PORTAL_HOST": "::"}, "PORTAL_HOST"),
    "mails in the clear": ({"PORTAL_MAIL_CLEAR_TEXT": "true"}, "PORTAL_MAIL_CLEAR_TEXT"),
    "a database across the network": (
        {"PORTAL_DATABASE_URL": "postgresql+psycopg://x:changeme@db.example/x"},
        "PORTAL_DATABASE_URL",
    ),
    "a database whose TLS may be refused": (
        {"PORTAL_DATABASE_URL": "postgresql+psycopg://x:changeme@/x?host=10.0.0.5&sslmode=prefer"},
        "PORTAL_DATABASE_URL",
    ),
    "a weak pepper": ({"PORTAL_PEPPERS": "p1:changeme"}, "PORTAL_PEPPERS"),
    "no limits": ({"PORTAL_LIMITS_ENABLED": "false"}, "PORTAL_LIMITS_ENABLED"),
    "GitHub's keys in the clear": ({"PORTAL_GITHUB_KEYS": "http://api.github.com/x"}, "PORTAL_GITHUB_KEYS"),
    "GitHub's keys from nowhere": ({"PORTAL_GITHUB_KEYS": "no-such-file.json"}, "PORTAL_GITHUB_KEYS"),
    "another database": ({"PORTAL_DATABASE_URL": "mysql://root:changeme@db/x"}, "PORTAL_DATABASE_URL"),
    "another driver": ({"PORTAL_DATABASE_URL": "postgresql://x:changeme@db/x"}, "PORTAL_DATABASE_URL"),
    "a database that ends with its connection": ({"PORTAL_DATABASE_URL": "sqlite://"}, "PORTAL_DATABASE_URL"),
    "no folder": ({"PORTAL_INSTANCE_PATH": "/dev/null/chatelaine"}, "PORTAL_INSTANCE_PATH"),
    "a folder that takes no file": (
        {"PORTAL_INSTANCE_PATH": "/proc/self", "PORTAL_BASE_URL": None, "PORTAL_SECRET_KEY": None},
        "PORTAL_INSTANCE_PATH",
    ),
    "a weak secret key on this machine": (
        {"PORTAL_BASE_URL": None, "PORTAL_SECRET_KEY": "secret"},
        "PORTAL_SECRET_KEY",
    ),
}
COMMANDS = {
    "http with a public host": ("serve",),
    "debug": ("account", "list"),
    "a door to other machines without a name": ("serve",),
    "no secret key": ("serve",),
    "a weak pepper": ("jobs", "run"),
    "no limits": ("serve",),
    "another driver": ("account", "list"),
    "no folder": ("key", "list"),
}
HIDDEN = (SECRET_KEY, "x7Kq2", "a" * 64, "changeme", PEPPERS)


def settings(home: Path, changes: dict[str, str | None]) -> dict[str, str]:
    given = {**PUBLIC, "PORTAL_INSTANCE_PATH": str(home), **changes}
    return {name: value for name, value in given.items() if value is not None}


def flask(home: Path, changes: dict[str, str | None], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words],
        cwd=ROOT,
        env={**os.environ, **settings(home, changes)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("why", COMMANDS)
def test_it_says_why_in_one_line_and_ends_with_an_error(tmp_path: Path, why: str) -> None:
    changes, name = REFUSED[why]

    ended = flask(tmp_path, changes, *COMMANDS[why])

    assert ended.returncode not in {0, None}
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert name in ended.stderr
    assert not any(secret in ended.stderr for secret in HIDDEN)
    assert not list(tmp_path.rglob("*.db")), "nothing was made"


@pytest.mark.parametrize("why", REFUSED)
def test_no_application_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    changes, name = REFUSED[why]
    if debug := changes.get("FLASK_DEBUG"):
        monkeypatch.setenv("FLASK_DEBUG", debug)

    with pytest.raises(ConfigurationError, match=name) as refusal:
        create_app(settings(tmp_path, changes))

    assert "\n" not in str(refusal.value)
    assert not any(secret in str(refusal.value) for secret in HIDDEN)


def test_the_same_settings_without_the_weakness_are_good(tmp_path: Path) -> None:
    ended = flask(tmp_path, {}, "db", "upgrade")

    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {"PORTAL_HOST": "0.0.0.0"},  # as in a container
        {"PORTAL_HOST": "0.0.0.0", "PORTAL_BASE_URL": "http://localhost:8000"},  # on a developer's machine
        {"PORTAL_BASE_URL": None, "PORTAL_HOST": "::1"},
        {"PORTAL_BASE_URL": None, "PORTAL_MAIL_CLEAR_TEXT": "true"},
        {"PORTAL_DATABASE_URL": "postgresql+psycopg://x:y@db.example/x?sslmode=verify-full"},
        {"PORTAL_DATABASE_URL": "postgresql+psycopg://x:y@127.0.0.1/x"},
        {"PORTAL_DATABASE_URL": "postgresql+psycopg://x:y@/x?host=/run/postgresql"},
    ],
)
def test_what_is_safe_is_taken(tmp_path: Path, changes: dict[str, str | None]) -> None:
    assert load_settings(settings(tmp_path, changes)).workers


def test_what_is_random_is_taken() -> None:
    chance = random.Random(7)
    for _ in range(300):
        for size in (16, 32):
            assert estimate_bits(chance.randbytes(size).hex()) >= FEWEST_BITS
            assert estimate_bits(b64encode(chance.randbytes(size + 8)).decode()) >= FEWEST_BITS
