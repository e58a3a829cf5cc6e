"""Credentials in headers, read strictly (RFC 7617, RFC 6750)."""

from __future__ import annotations

from base64 import b64encode

import pytest

from portal.http.basic import LONGEST_CREDENTIALS, read_basic
from portal.http.credentials import read_bearer, read_credentials


def basic(text: str | bytes, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(text.encode() if isinstance(text, str) else text).decode()}"


@pytest.mark.parametrize(
    ("header", "pair"),
    [
        (basic("user:secret"), ("user", "secret")),
        (basic("user:secret", "bAsIc"), ("user", "secret")),
        (basic("user:with:colons"), ("user", "with:colons")),
        (basic(":"), ("", "")),
        (basic("üser:sécret"), ("üser", "sécret")),
    ],
)
def test_the_first_colon_splits(header: str, pair: tuple[str, str]) -> None:
    assert read_basic(header) == pair
    assert tuple(read_credentials(header) or ()) == pair


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        basic("no colon"),
        basic("user:sec\0ret"),
        basic("us\ner:secret"),
        basic("user:secret\x7f"),
        basic("user:secret\u202e"),
        basic(b"user:\xff"),
        basic("user:secret", "Digest"),
        basic("user:secret", "Basics"),
        basic("user:secret") + "!",
        basic("user:secret").rstrip("="),
        basic("user:secret").replace("c", "c\n", 1),
        basic("u" * LONGEST_CREDENTIALS + ":secret"),
    ],
)
def test_what_is_not_quite_basic_is_nothing(header: str) -> None:
    assert read_basic(header) is None


def test_credentials_have_a_longest_length() -> None:
    longest = "u" * (LONGEST_CREDENTIALS // 4 * 3 - 8)

    assert read_basic(basic(f"{longest}:secret!"))
    assert read_basic(basic(f"{longest}x:secret!")) is None


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearer a b", None),
        ("Bearer ü", None),
        ("Basic abc", None),
    ],
)
def test_a_bearer_is_one_word(header: str, token: str | None) -> None:
    assert read_bearer(header) == token
