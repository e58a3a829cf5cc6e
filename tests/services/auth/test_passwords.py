"""Passwords: which ones are taken, and how they are kept (rows 1, 2 and 4)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from unicodedata import normalize

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from portal.services.auth import passwords
from portal.services.auth.passwords import check_password, hash_password, needs_rehash, verify_password
from portal.services.core.errors import InvalidInput, RuleError

pytestmark = pytest.mark.usefixtures("every_hash_anew")
GOOD = "kqwzmvxhtrbnplcdysgf"
CONTEXT = ("alice@tailors.example", "Alice", "Chatelaine")


def code_of(password: str, *, second_factor: bool = False) -> str | None:
    try:
        check_password(password, second_factor=second_factor, context=CONTEXT)
    except InvalidInput as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("length", "second_factor", "code"),
    [
        (0, False, "passwordTooShort"),
        (14, False, "passwordTooShort"),
        (15, False, None),
        (7, True, "passwordTooShort"),
        (8, True, None),
        (256, False, None),
        (257, False, "passwordTooLong"),
    ],
)
def test_length_is_all_that_is_asked(length: int, second_factor: bool, code: str | None) -> None:
    letters = "".join(chr(ord("a") + number * number * 7 % 26) for number in range(3, 300))
    unguessable = "".join(f"{letter}{GOOD[index % 20]}" for index, letter in enumerate(letters))

    assert code_of(unguessable[:length], second_factor=second_factor) == code


def test_the_error_tells_the_length_that_is_needed() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_password("short", second_factor=False)
    assert caught.value.field == "password"
    assert caught.value.details["limit"] == 15
    assert "short" not in f"{caught.value!r}".lower().replace("passwordtooshort", "")


def test_code_points_are_counted_not_bytes() -> None:
    assert code_of("木漏れ日の下で猫が三匹眠る夜だ") is None
    assert code_of("木漏れ日の下で猫が三匹眠る夜") == "passwordTooShort"


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "correct horse battery staple",
        "football sunshine princess",
        "my dog eats two apples",
        "ÄÖÜ straße zum fluß",
        "🦊🐢🌵🚲🎻🧵🪡🧶🔑🗝️🪞🕯️🧭🪁🎈",
        "alice likes green ribbons",
    ],
)
def test_what_is_hard_to_guess_is_taken_without_rules_of_composition(password: str) -> None:
    assert code_of(password) is None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("passwordpassword", "passwordTooCommon"),
        ("PassWordPassword", "passwordTooCommon"),
        ("ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", "passwordTooCommon"),
        ("footballfootball", "passwordTooCommon"),
        ("1q2w3e4r5t6y7u8i9o0p", "passwordTooCommon"),
        ("password1234567", "passwordTooCommon"),
        ("abcdefghijklmno", "passwordTooCommon"),
        ("zyxwvutsrqponml", "passwordTooCommon"),
        ("qwertyuiopasdfg", "passwordTooCommon"),
        ("QWERTZUIOPASDFGH", "passwordTooCommon"),
        ("azertyuiopqsdfghjklm", "passwordTooCommon"),
        ("aaaaaaaaaaaaaaa", "passwordTooSimple"),
        ("AaAaAaAaAaAaAaA", "passwordTooSimple"),
        ("ababababababababab", "passwordTooSimple"),
        ("abcabcabcabcabca", "passwordTooSimple"),
        ("123456789012345", "passwordTooCommon"),
        ("k3jf9x2qk3jf9x2q", "passwordTooSimple"),
        ("🦊🐢🦊🐢🦊🐢🦊🐢🦊🐢🦊🐢🦊🐢🦊", "passwordTooSimple"),
        ("chatelainealice1", "passwordHasContext"),
        ("Alice@Tailors.Example", "passwordHasContext"),
        ("Alice@Tailors.ExampleAlice", "passwordHasContext"),
        ("alicealicealicealice", "passwordHasContext"),
        ("alice-7!alice-7!", "passwordHasContext"),
        ("tailors-alice-2026", "passwordHasContext"),
        ("ｔａｉｌｏｒｓ-alice-2026", "passwordHasContext"),
        ("alicesunshinealice", "passwordHasContext"),
        ("alicealice1234567", "passwordHasContext"),
        ("alicealice12345678", "passwordHasContext"),
    ],
)
def test_what_is_guessed_first_is_refused_with_its_reason(password: str, code: str) -> None:
    assert code_of(password) == code


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("alicealice2469135", "passwordHasContext"),
        ("alicealice24691357", None),
        ("alice24691357bcd", None),
        ("abcdefghijklmnabcdefghijklmn", "passwordTooSimple"),
        ("abcdefghijklmnxabcdefghijklmnx", None),
        ("comet comfort exams", None),
    ],
)
def test_what_is_left_beside_known_words_must_be_long_enough_for_a_password(
    password: str, code: str | None
) -> None:
    assert code_of(password) == code


@pytest.mark.parametrize(
    "password",
    ["iloveyou and 2 dogs", "qwerty sunshine dragon", "aaaabbbbccccddddeeee", "1234 5678 abcd efgh"],
)
def test_nothing_is_scored(password: str) -> None:
    """NIST SP 800-63B-4, 3.1.1.2: the whole password is looked up, and no words within it."""
    assert code_of(password) is None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("football", "passwordTooCommon"),
        ("abcdabcd", "passwordTooSimple"),
        ("alice-7!", "passwordHasContext"),
        ("alice-k3jf9x2q", None),
        ("k3jf9x2q", None),
    ],
)
def test_the_block_list_holds_with_a_second_factor_too(password: str, code: str | None) -> None:
    assert code_of(password, second_factor=True) == code


def test_the_list_says_where_it_comes_from_and_holds_only_what_it_needs() -> None:
    lines = passwords._LIST.read_text("utf-8").splitlines()
    entries = [each for each in lines if not each.startswith("# ")]

    assert lines[0].startswith("# ")
    assert "MIT" in lines[0]
    assert len(entries) > 10_000
    assert all(len(entry) >= 8 and entry == normalize("NFKC", entry).casefold() for entry in entries)
    assert len(passwords.common_passwords()) == len(set(entries)) == len(entries)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_judged_and_none_crashes(password: str) -> None:
    code_of(password)
    code_of(password, second_factor=True)


@settings(max_examples=200, deadline=None)
@given(st.randoms(use_true_random=False))
def test_twenty_random_lower_case_letters_are_taken(random: object) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    password = "".join(random.choice(letters) for _ in range(20))  # type: ignore[attr-defined]
    assume(len(set(password)) > 8)

    assert code_of(password) is None


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=256), st.text(min_size=1, max_size=1))
def test_a_password_verifies_whole(password: str, other: str) -> None:
    kept = hash_password(password)

    assert verify_password(kept, password)
    assert not verify_password(kept, password + other)
    assert not verify_password(kept, password[:-1])


def test_the_last_of_256_characters_counts() -> None:
    kept = hash_password("x" * 255 + "a")

    assert verify_password(kept, "x" * 255 + "a")
    assert not verify_password(kept, "x" * 255 + "b")


def test_one_password_is_one_on_every_keyboard() -> None:
    assert verify_password(hash_password("caf\u00e9 am fluss heute"), "cafe\u0301 am fluss heute")


def test_it_is_kept_as_argon2id_with_its_own_salt() -> None:
    first, second = hash_password(GOOD), hash_password(GOOD)

    parameters = extract_parameters(first)
    assert first.startswith("$argon2id$v=19$")
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19 * 1024, 2, 1)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)
    assert first != second


def test_weaker_hashes_are_told_and_still_verify() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(GOOD)

    assert needs_rehash(old)
    assert verify_password(old, GOOD)
    assert not needs_rehash(hash_password(GOOD))


def test_nobodys_hash_has_todays_parameters_and_is_nobodys() -> None:
    assert not needs_rehash(passwords._NOBODYS)
    assert not verify_password(passwords._NOBODYS, "")
    assert not verify_password(None, GOOD)
    assert not verify_password("what is no hash", GOOD)


def test_it_takes_as_long_when_there_is_no_account() -> None:
    kept = hash_password(GOOD)

    def once(known: str | None) -> float:
        begun = perf_counter()
        verify_password(known, "not the password at all")
        return perf_counter() - begun

    pairs = [(once(None), once(kept)) for _ in range(20)]

    nobodys, theirs = (min(pair[side] for pair in pairs) for side in (0, 1))
    assert nobodys == pytest.approx(theirs, rel=0.5)


def test_no_more_than_a_few_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, lock = 0, 0, threading.Lock()
    true_hash = passwords._hasher.hash

    class Counting:
        def hash(self, password: str) -> str:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            created = true_hash(password)
            with lock:
                running -= 1
            return created

    monkeypatch.setattr(passwords, "_hasher", Counting())
    monkeypatch.setattr(passwords, "LONGEST_WAIT", 60.0)
    with ThreadPoolExecutor(20) as pool:
        created = list(pool.map(hash_password, [GOOD] * 50))

    assert len(set(created)) == 50
    assert most == passwords.HASHES_AT_ONCE


def test_who_waits_too_long_is_told_that_the_portal_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "LONGEST_WAIT", 0.01)
    for _ in range(passwords.HASHES_AT_ONCE):
        assert passwords._turns.acquire()
    try:
        for act in (lambda: hash_password(GOOD), lambda: verify_password(None, GOOD)):
            with pytest.raises(RuleError) as caught:
                act()
            assert caught.value.code == "busy"
    finally:
        for _ in range(passwords.HASHES_AT_ONCE):
            passwords._turns.release()
    assert hash_password(GOOD)
