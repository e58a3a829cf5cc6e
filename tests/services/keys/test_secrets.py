"""The secret: its format, its checksum, its digest (row 25)."""

from __future__ import annotations

import hmac
import re
import zlib
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.services.core import ids
from portal.services.keys import secrets
from tests.support.clock import Clock

BODIES = st.text(alphabet=secrets.ALPHABET, min_size=43, max_size=43)

# Vectors of our own: (everything but the checksum, checksum).
VECTORS = [
    ("chk_" + "0" * 43, "0rR9VW"),
    ("chk_" + "z" * 43, "1OlZ8x"),
    ("chk_7Gq2mXv0RkTz4cYh9BnLw3JdPfA8sUeEi1oQ5ZyVtKr", "2qOZ8n"),
]


def naive_base62(number: int) -> str:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return alphabet[0] if number == 0 else naive_base62(number // 62).lstrip("0") + alphabet[number % 62]


def test_a_secret_has_the_format_of_the_contract() -> None:
    secret = secrets.create_secret("chk")

    assert re.fullmatch(r"chk_[0-9A-Za-z]{49}", secret)
    assert naive_base62(zlib.crc32(secret[:-6].encode())).rjust(6, "0") == secret[-6:]
    assert secrets.is_well_formed(secret, "chk")


@pytest.mark.parametrize(("text", "checksum"), VECTORS)
def test_the_checksum_fits_the_vectors(text: str, checksum: str) -> None:
    assert secrets.checksum(text) == checksum


def test_secrets_carry_256_random_bits() -> None:
    created = {secrets.create_secret("chk") for _ in range(500)}
    bits = [secrets.ALPHABET.index(c) for secret in created for c in secret[5:47]]

    assert len(created) == 500
    assert 62**43 > 2**256
    assert all(abs(bits.count(digit) / len(bits) - 1 / 62) < 0.004 for digit in range(62))


@given(body=BODIES, at=st.integers(0, 52), new=st.sampled_from(secrets.ALPHABET))
def test_one_wrong_character_is_noticed_without_a_database(body: str, at: int, new: str) -> None:
    secret = f"chk_{body}{secrets.checksum(f'chk_{body}')}"
    mistyped = secret[:at] + new + secret[at + 1 :]

    assert secrets.is_well_formed(mistyped, "chk") is (mistyped == secret)


@pytest.mark.parametrize(
    "odd", ["", "chk_", "chk_" + "0" * 49, "é" * 53, "xyz_" + "0" * 49, "chk_" + "0" * 5000]
)
def test_odd_texts_are_not_well_formed(odd: str) -> None:
    assert not secrets.is_well_formed(odd, "chk")


def with_checksum(text: str) -> str:
    return text + secrets.checksum(text)


BODY = VECTORS[2][0].removeprefix("chk_")
GOOD = with_checksum(f"chk_{BODY}")
LIVE, TEST = with_checksum(f"chk_live_{BODY}"), with_checksum(f"chk_test_{BODY}")

SEARCHED: list[tuple[str, list[str]]] = [
    (GOOD, [GOOD]),
    (f'CHATELAINE_SECRET="{LIVE}"', [LIVE]),
    (f"key='{TEST}';", [TEST]),
    (f"https://x.example/?key={GOOD}&a=1#{LIVE}", [GOOD, LIVE]),
    (f"Authorization: Bearer {GOOD}\r\n", [GOOD]),
    (f"curl -u 0190b1f2-0000-7000-8000-000000000001:{GOOD} x", [GOOD]),
    (f'{{"a":["{GOOD}","{GOOD}"]}}', [GOOD, GOOD]),
    (f"<td>{GOOD}</td>", [GOOD]),
    (f"é{GOOD}é", [GOOD]),
    (GOOD[:-1], []),
    (f"{GOOD}0", []),
    (f"x{GOOD}", []),
    (f"_{GOOD}", []),
    (f"{GOOD}_", []),
    (GOOD.replace("chk_", "CHK_"), []),
    (GOOD.replace("chk_", "chk-"), []),
    (f"chk_prod_{GOOD[4:]}", []),
    (f"{GOOD[:30]}\n{GOOD[30:]}", []),
]


@pytest.mark.parametrize(("text", "found"), SEARCHED)
def test_the_pattern_finds_secrets_in_any_text(text: str, found: list[str]) -> None:
    assert secrets.pattern("chk").findall(text) == found


@pytest.mark.parametrize("prefix", ["chk", "acme_2", "a"])
@pytest.mark.parametrize("label", ["", "live_", "test_"])
def test_the_pattern_fits_every_secret_and_the_checksum_tells_look_alikes(prefix: str, label: str) -> None:
    secret = with_checksum(f"{prefix}_{label}{BODY}")
    look_alike = secret[:-1] + ("0" if secret[-1] != "0" else "1")

    for each in (secret, look_alike):
        assert secrets.pattern(prefix).fullmatch(each)
    assert secrets.is_well_formed(secret, prefix)
    assert not secrets.is_well_formed(look_alike, prefix)


def test_the_prefix_belongs_to_the_checksum() -> None:
    secret = secrets.create_secret("acme_live")

    assert secrets.is_well_formed(secret, "acme_live")
    assert not secrets.is_well_formed("chk" + secret.removeprefix("acme_live"), "chk")


def test_what_is_kept_is_an_hmac_under_the_pepper() -> None:
    kept = secrets.digest(b"p" * 32, "chk_x")

    assert kept == hmac.new(b"p" * 32, b"chk_x", sha256).digest()


def test_ids_are_uuids_of_version_7_in_the_order_of_time(clock: Clock) -> None:
    first = ids.uuid7()
    clock.forward(seconds=1)
    second = ids.uuid7()

    assert isinstance(first, UUID)
    assert first.version == 7
    assert first.variant == "specified in RFC 4122"
    assert first < second
    assert second.int >> 80 == pytest.approx(clock.now().timestamp() * 1000, abs=2000)
