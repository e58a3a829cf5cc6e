"""Limits: named questions that slow a source and never the owner (rows 10 to 12)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, text

from portal.extensions import db
from portal.services.core.transaction import transaction
from portal.services.ratelimits import counters, questions
from portal.services.ratelimits.counters import Answer, Limit
from tests.support.clock import Clock
from tests.support.databases import Database
from tests.support.processes import in_processes
from tests.support.settings import settings_for

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def context(app: Flask, clock: Clock) -> Iterator[Clock]:
    """An application to ask, and a time that stands still."""
    clock.stop()
    with app.app_context():
        yield clock


def far_away(number: int) -> str:
    return f"198.51.{number // 250}.{number % 250 + 1}"


def use_up(limit: Limit, ask: Callable[[], Answer]) -> None:
    for _ in range(limit.amount):
        assert ask()


QUESTIONS: list[tuple[Limit, Callable[[int], Answer]]] = [
    (questions.SIGN_IN_OWN, lambda _: questions.may_sign_in(HERE, "alice")),
    (questions.SIGN_IN_SOURCE, lambda n: questions.may_sign_in(HERE, f"name{n}")),
    (questions.PROVE_OWN, lambda _: questions.may_prove(HERE, 1)),
    (questions.SIGN_UP_OWN, lambda _: questions.may_sign_up(HERE, "alice@example.org")),
    (questions.SIGN_UP_SOURCE, lambda n: questions.may_sign_up(HERE, f"{n}@example.org")),
    (questions.RESET_OWN, lambda _: questions.may_reset(HERE, "alice@example.org")),
    (questions.RESET_SOURCE, lambda n: questions.may_reset(HERE, f"{n}@example.org")),
    (questions.SIGN_UP_MAIL_OWN, lambda _: questions.may_mail_sign_up(HERE, "alice@example.org")),
    (questions.SIGN_UP_MAIL, lambda n: questions.may_mail_sign_up(far_away(n), "alice@example.org")),
    (questions.RESET_MAIL_OWN, lambda _: questions.may_mail_reset(HERE, "alice@example.org")),
    (questions.UNLOCK_MAIL_OWN, lambda _: questions.may_mail_unlock(HERE, 1)),
    (questions.WAY_BACK_MAIL, lambda _: questions.may_mail_way_back(1, 2)),
    (questions.NEW_EMAIL_PAIR, lambda _: questions.may_change_email(HERE, 1, "alice@example.org")),
    (questions.NEW_EMAIL_ACCOUNT, lambda n: questions.may_change_email(HERE, 1, f"{n}@example.org")),
    (questions.NEW_EMAIL_SOURCE, lambda n: questions.may_change_email(HERE, n, f"{n}@example.org")),
    (questions.CONFIRM_SOURCE, lambda _: questions.may_confirm(HERE)),
    (questions.ISSUE_ACCOUNT, lambda _: questions.may_issue_key(1)),
    (questions.KEY_CHECK_SOURCE, lambda _: questions.count_failed_key_check(HERE)),
    (questions.LEAK_SOURCE, lambda _: questions.may_report_leaks(HERE)),
    (questions.SIGNATURE_SOURCE, lambda _: questions.count_failed_signature(HERE)),
]


@pytest.mark.parametrize(("limit", "ask"), QUESTIONS, ids=[limit.name for limit, _ in QUESTIONS])
def test_each_limit_holds_alone_and_waiting_as_told_is_enough(
    context: Clock, limit: Limit, ask: Callable[[int], Answer]
) -> None:
    for number in range(limit.amount):
        assert ask(number), number
    context.to(context.now() + timedelta(seconds=limit.seconds / 2, milliseconds=300))

    refused = ask(limit.amount)

    assert not refused.allowed
    assert 0 < refused.retry_after <= limit.seconds / 2
    context.to(context.now() + timedelta(seconds=refused.retry_after - 1))
    assert not ask(limit.amount), "a second earlier is too early"
    context.to(context.now() + timedelta(seconds=1))
    assert ask(limit.amount)


def test_a_strangers_failures_do_not_keep_the_owner_out(context: Clock) -> None:
    for number in range(questions.SIGN_IN_NAME.amount * 2):
        questions.may_sign_in(far_away(number), "alice")
    use_up(questions.SIGN_IN_OWN, lambda: questions.may_sign_in(THERE, "bob"))

    assert questions.may_sign_in(HERE, "alice")


@pytest.mark.parametrize(
    ("limit", "ask"),
    [
        (questions.SIGN_IN_NAME, lambda here: questions.may_sign_in(here, "alice")),
        (questions.PROVE_ACCOUNT, lambda here: questions.may_prove(here, 1)),
    ],
    ids=["sign-in", "proof"],
)
def test_under_attack_a_source_has_only_its_spare_tries(
    context: Clock, limit: Limit, ask: Callable[[str], Answer]
) -> None:
    for number in range(limit.amount):
        assert ask(far_away(number))

    answers = [ask(HERE).allowed for _ in range(5)]

    assert answers == [True, True, True, False, False]
    context.forward(seconds=ask(HERE).retry_after)
    assert ask(HERE)


@pytest.mark.parametrize(
    ("limit", "ask"),
    [
        (questions.SIGN_IN_ALL, lambda n, own: questions.may_sign_in(far_away(n), f"name{own}")),
        (questions.SIGN_UP_ALL, lambda n, own: questions.may_sign_up(far_away(n), f"{own}@example.org")),
        (questions.RESET_ALL, lambda n, own: questions.may_reset(far_away(n), f"{own}@example.org")),
        (questions.CONFIRM_ALL, lambda n, _: questions.may_confirm(far_away(n))),
        (questions.KEY_CHECK_ALL, lambda n, _: questions.count_failed_key_check(far_away(n))),
        (questions.LEAK_ALL, lambda n, _: questions.may_report_leaks(far_away(n))),
    ],
    ids=["sign-in", "sign-up", "reset", "confirm", "key check", "leak report"],
)
def test_the_overall_limit_leaves_each_source_its_spare_tries(
    context: Clock, monkeypatch: pytest.MonkeyPatch, limit: Limit, ask: Callable[[int, int], Answer]
) -> None:
    few = Limit(limit.name, 6, limit.seconds, limit.spares)
    for name, value in vars(questions).items():
        if value is limit:
            monkeypatch.setattr(questions, name, few)
    for number in range(few.amount):
        assert ask(number, number)

    spares = few.spares or 0
    answers = [ask(500, 500).allowed for _ in range(spares + 2)]

    assert answers == [True] * spares + [False] * 2


def test_a_good_sign_in_gives_its_try_back(context: Clock) -> None:
    for _ in range(questions.SIGN_IN_OWN.amount * 3):
        assert questions.may_sign_in(HERE, "alice")
        questions.signed_in(HERE, "alice")
    for _ in range(questions.PROVE_OWN.amount * 2):
        assert questions.may_prove(HERE, 1)
        questions.proved(HERE, 1)

    use_up(questions.SIGN_IN_OWN, lambda: questions.may_sign_in(HERE, "alice"))
    assert not questions.may_sign_in(HERE, "alice")


def test_a_refused_try_is_not_counted_anywhere(context: Clock, database: Database) -> None:
    use_up(questions.SIGN_IN_OWN, lambda: questions.may_sign_in(HERE, "alice"))
    before = database.rows()["limit_counters"]

    assert not questions.may_sign_in(HERE, "alice")

    assert database.rows()["limit_counters"] == before


def test_one_name_is_one_however_it_is_written(context: Clock) -> None:
    for name in ["alice", "ALICE", " Alice ", "ａｌｉｃｅ"] * 3:
        questions.may_sign_in(HERE, name)

    assert not questions.may_sign_in(HERE, "alice")
    assert questions.may_sign_in(HERE, "alicé")


@pytest.mark.parametrize(
    ("ways", "another"),
    [
        (("1", "01", "001", " 1 ", "１", "0" * 50 + "1"), "11"),
        (("alice", "ALICE", " Alice", "ａｌｉｃｅ", "ALİCE".replace("İ", "I")), "alicé"),
        (("alice@example.org", "Alice@EXAMPLE.org ", "alice＠example.org"), "alice+1@example.org"),
    ],
)
def test_one_login_is_one_however_it_is_written(context: Clock, ways: tuple[str, ...], another: str) -> None:
    for number in range(questions.SIGN_IN_OWN.amount):
        assert questions.may_sign_in(HERE, ways[number % len(ways)])

    assert not any(questions.may_sign_in(HERE, way) for way in ways)
    assert questions.may_sign_in(HERE, another)


BY_SOURCE: list[tuple[Limit, Callable[[str, int], Answer]]] = [
    (questions.SIGN_IN_SOURCE, lambda here, n: questions.may_sign_in(here, f"name{n}")),
    (questions.PROVE_OWN, lambda here, _: questions.may_prove(here, 1)),
    (questions.SIGN_UP_SOURCE, lambda here, n: questions.may_sign_up(here, f"{n}@example.org")),
    (questions.RESET_SOURCE, lambda here, n: questions.may_reset(here, f"{n}@example.org")),
    (questions.CONFIRM_SOURCE, lambda here, _: questions.may_confirm(here)),
    (questions.LEAK_SOURCE, lambda here, _: questions.may_report_leaks(here)),
    (questions.SIGNATURE_SOURCE, lambda here, _: questions.count_failed_signature(here)),
    (questions.KEY_CHECK_SOURCE, lambda here, _: questions.count_failed_key_check(here)),
]


@pytest.mark.parametrize(("limit", "ask"), BY_SOURCE, ids=[limit.name for limit, _ in BY_SOURCE])
@pytest.mark.parametrize(
    ("place", "times", "outside"),
    [
        ("2001:db8:1:{:x}::1", 3, "2001:db8:2::1"),
        ("2001:db8:1:12{:02x}::1", 2, "2001:db8:1:1300::1"),
    ],
    ids=["/48", "/56"],
)
def test_a_network_shares_a_few_times_what_one_source_may(
    context: Clock, limit: Limit, ask: Callable[[str, int], Answer], place: str, times: int, outside: str
) -> None:
    step = 0x100 if times == 3 else 1
    most = limit.amount * times
    places = [place.format(number * step % (0x10000 if times == 3 else 0x100)) for number in range(most + 1)]

    answers = [bool(ask(here, number)) for number, here in enumerate(places)]

    assert answers == [True] * most + [False]
    assert ask(outside, most + 2)


def test_under_attack_from_a_24_each_address_has_its_spare_tries(context: Clock) -> None:
    def from_(number: int, name: str) -> bool:
        return bool(questions.may_sign_in(f"198.51.100.{number % 250}", name))

    for number in range(questions.SIGN_IN_SOURCE.amount * 5):
        assert from_(number, f"name{number}")

    assert [from_(251, "alice") for _ in range(4)] == [True, True, True, False]
    assert questions.may_sign_in("198.51.101.1", "alice")


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_a_source_is_an_ipv4_address_or_a_64_of_ipv6(address: str, source: str) -> None:
    assert questions.source(address) == source


def test_a_slowed_source_costs_no_statement(context: Clock) -> None:
    use_up(questions.KEY_CHECK_SOURCE, lambda: questions.count_failed_key_check(HERE))
    assert not questions.count_failed_key_check(HERE)
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))

    answers = [questions.count_failed_key_check(HERE) for _ in range(100)]

    assert not any(answers)
    assert statements == []
    assert questions.count_failed_key_check(THERE)
    assert questions.count_failed_signature(HERE), "one is not slowed for the other"
    context.forward(seconds=answers[-1].retry_after)
    assert questions.count_failed_key_check(HERE)


def test_what_a_process_remembers_is_bounded(context: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_MOST_REMEMBERED", 5)
    monkeypatch.setattr(questions, "KEY_CHECK_SOURCE", Limit("one", 1, 60))
    for number in range(10):
        questions.count_failed_key_check(far_away(number))
        questions.count_failed_key_check(far_away(number))

    assert len(counters._slowed[db.engine]) == 5
    context.forward(seconds=61)
    questions.count_failed_key_check(HERE)
    assert not questions.count_failed_key_check(HERE)
    assert len(counters._slowed[db.engine]) == 1


def test_the_table_tells_no_name_and_no_address(context: Clock, database: Database) -> None:
    questions.may_sign_in("203.0.113.77", "canary-name")

    dump = database.dump().lower()

    assert "canary" not in dump
    assert "203.0.113.77" not in dump


def test_expired_counters_can_be_forgotten(context: Clock, database: Database) -> None:
    questions.may_confirm(HERE)
    assert counters.forget_expired() == 0
    context.forward(seconds=questions.CONFIRM_SOURCE.seconds)

    assert counters.forget_expired() == 3
    assert database.rows()["limit_counters"] == []


def test_they_can_be_switched_off(make_app: Callable[..., Flask]) -> None:
    with make_app(PORTAL_LIMITS_ENABLED="false").app_context():
        for _ in range(questions.SIGN_IN_OWN.amount + 5):
            assert questions.may_sign_in(HERE, "alice")
            questions.signed_in(HERE, "alice")
        for _ in range(questions.KEY_CHECK_SOURCE.amount + 5):
            assert questions.count_failed_key_check(HERE)


def test_a_question_inside_a_transaction_is_a_mistake(context: Clock) -> None:
    with transaction(), pytest.raises(RuntimeError, match="before a transaction"):
        questions.may_confirm(HERE)


def test_the_count_stays_when_the_act_fails(context: Clock) -> None:
    for _ in range(questions.ISSUE_ACCOUNT.amount):
        questions.may_issue_key(1)
        with pytest.raises(ZeroDivisionError), transaction():
            raise ZeroDivisionError

    assert not questions.may_issue_key(1)


def test_threads_count_exactly(app: Flask) -> None:
    def ask(_: int) -> bool:
        with app.app_context():
            return questions.may_confirm(HERE).allowed

    with ThreadPoolExecutor(8) as pool:
        allowed = sum(pool.map(ask, range(questions.CONFIRM_SOURCE.amount + 40)))

    assert allowed == questions.CONFIRM_SOURCE.amount


def test_threads_that_have_read_before_do_not_wait_for_each_other(app: Flask) -> None:
    with app.app_context():
        size: int = db.engine.pool.size() + db.engine.pool._max_overflow  # type: ignore[attr-defined]
    everybody_has_read = threading.Barrier(size)

    def ask(number: int) -> bool:
        with app.app_context():
            db.session.execute(text("SELECT 1"))
            everybody_has_read.wait(10)
            return questions.may_issue_key(number).allowed

    with ThreadPoolExecutor(size) as pool:
        assert all(pool.map(ask, range(size), timeout=20))


WORKER = """
import json, sys
from portal.app import create_app
from portal.services.ratelimits import questions
settings = json.loads(sys.argv[1])
app = create_app(settings)
sys.stdin.readline()
with app.app_context():
    print(sum(questions.may_sign_in("192.0.2.1", "alice").allowed for _ in range(8)),
          sum(questions.count_failed_key_check("192.0.2.1").allowed for _ in range(30)))
"""


def test_processes_count_exactly(database: Database, tmp_path: Path) -> None:
    import json

    settings = json.dumps(settings_for(database.url, tmp_path / "instance"))
    results = in_processes(WORKER, settings)

    assert sum(int(signed_in) for signed_in, _ in results) == questions.SIGN_IN_OWN.amount
    assert sum(int(checked) for _, checked in results) == questions.KEY_CHECK_SOURCE.amount
