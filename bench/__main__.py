"""Measure the verification of keys: ``python -m bench --help``.

Exit code 0 means that each answer was the right one, and with ``--strict`` that the aims are
reached too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import report
from bench.contestants import Contestant, Field, line_up
from bench.databases import KINDS, open_databases
from bench.load import Load, LoadError, put_under_load
from bench.portal_client import basic, misspelt, strangers_secret
from bench.processes import ServerError, ask

PAUSE_BETWEEN_CHANGES = 0.05
STRANGERS = 50
WARM_UP_SECONDS = 2
FEWEST_ROUNDS = 3
BUDGET_SECONDS = 200.0
"""No further round is begun after so long, so that a busy machine ends too."""
LONGER = 4
"""A slow password hash gives few answers in a spell, so it gets one so many times as long."""
UNKNOWN_KEY = "00000000-0000-7000-8000-{:012d}"


class WrongAnswers(Exception):
    """A contestant answered other than it had to; the figures would mean nothing."""


def main() -> int:
    """Run the benchmark and print its tables."""
    options = read_options()
    try:
        with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
            missed = run(options, Path(folder))
    except (LoadError, ServerError, WrongAnswers) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 1 if missed and options.strict else 0


def read_options() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure the verification of keys.")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--rounds", type=int, default=7, help="spells of load for each contestant")
    parser.add_argument("--seconds", type=int, default=2, help="length of a spell")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keys", type=int, default=20, help="keys that are used in turn")
    parser.add_argument("--strict", action="store_true", help="fail when an aim is missed")
    return parser.parse_args()


def run(options: argparse.Namespace, folder: Path) -> bool:
    """Measure, print, and say whether an aim was missed."""
    busy = os.getloadavg()[0]
    with (
        open_databases(options.database, folder) as databases,
        line_up(folder, databases, workers=options.workers, keys=options.keys) as ground,
    ):
        refuse_odd_answers(ground)
        compare(ground, options)
        spells = measure_the_rest(ground, options)
        table, aims = report.main_table(ground.portal, ground.peers)
        doors, door_aims = report.doors_table(ground.doors, ground.peers[0])
    count = len(ground.portal.loads)
    rounds = f"median of {count} rounds of {options.seconds} s each, in turn; {options.keys} keys"
    where = report.circumstances(
        options.database,
        ground.server_options,
        workers=options.workers,
        connections=options.connections,
        rounds=rounds,
        busy=busy,
    )
    print(f"{where}\n\n{table}\n\n{doors}\n\n{report.spells_table(spells)}\n")
    if options.database == "sqlite":
        print(report.aims_list([*aims, *door_aims]))
        return not all(aim.reached for aim in (*aims, *door_aims))
    return False


def refuse_odd_answers(ground: Field) -> None:
    """Make sure that those who check let a key in and a stranger not. Raises WrongAnswers."""
    stranger = basic(UNKNOWN_KEY.format(0), strangers_secret())
    for name, authorization, expected in (
        ("a key", ground.portal.headers.read_text().splitlines()[0], 200),
        ("a stranger", stranger, 401),
        ("a misspelt secret", basic(UNKNOWN_KEY.format(0), misspelt(strangers_secret())), 401),
    ):
        status, _body = ground.client.whoami(authorization)
        if status != expected:
            raise WrongAnswers(f"the portal answered {name} with {status}.")
    for peer in ground.peers:
        if peer.name != "bare":
            status = ask(peer.server, stranger)
            if status not in {401, 403}:
                raise WrongAnswers(f"{peer.name} answered a stranger with {status}.")


def compare(ground: Field, options: argparse.Namespace) -> None:
    """Put all under load in turn, in short spells, each second round the other way round."""
    everybody = [ground.portal, *ground.doors, *ground.peers]
    for each in everybody:
        measure(each, each.headers, seconds=WARM_UP_SECONDS * longer(each), connections=options.connections)
    begun = time.monotonic()
    for number in range(options.rounds):
        if number >= FEWEST_ROUNDS and time.monotonic() - begun > BUDGET_SECONDS:
            break
        for each in everybody if number % 2 == 0 else reversed(everybody):
            before = each.server.cpu_seconds()
            seconds = options.seconds * longer(each)
            load = measure(each, each.headers, seconds=seconds, connections=options.connections)
            each.loads.append(load)
            each.cpu.append((each.server.cpu_seconds() - before) / load.requests * 1e6)


def longer(contestant: Contestant) -> int:
    """How many times as long its spells are."""
    return LONGER if contestant.name == "naive" else 1


def measure_the_rest(ground: Field, options: argparse.Namespace) -> dict[str, Sequence[Load]]:
    """What strangers cost, and what checks take while keys are made and revoked."""
    numbers = range(STRANGERS)
    unknown = [basic(UNKNOWN_KEY.format(each), strangers_secret()) for each in numbers]
    wrong = [basic(UNKNOWN_KEY.format(each), misspelt(strangers_secret())) for each in numbers]
    files = {
        "strangers: a wrong checksum": ground.headers_file("wrong", wrong),
        "strangers: an unknown key, a right checksum": ground.headers_file("unknown", unknown),
    }
    spell = {"seconds": options.seconds, "connections": options.connections}
    results: dict[str, Sequence[Load]] = {"its own keys": ground.portal.loads}
    for name, file in files.items():
        results[name] = [measure(ground.portal, file, refused=True, **spell) for _ in range(3)]
    with keys_coming_and_going(ground):
        name = "its own keys, while others are made and revoked"
        results[name] = [measure(ground.portal, ground.portal.headers, **spell) for _ in range(3)]
    return results


@contextmanager
def keys_coming_and_going(ground: Field) -> Iterator[None]:
    """Make and revoke keys, one after another, for as long as the block runs."""
    ending = threading.Event()
    created: list[str] = []

    def keep_changing() -> None:
        while not ending.wait(PAUSE_BETWEEN_CHANGES):
            key = ground.client.make_key("comes and goes")
            ground.client.revoke_key(key.id)
            created.append(key.id)

    thread = threading.Thread(target=keep_changing)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
    if not created:
        raise WrongAnswers("the portal made no key under load.")


def measure(
    contestant: Contestant, headers: Path, *, seconds: int, connections: int, refused: bool = False
) -> Load:
    """Put a contestant under load. Raises WrongAnswers when not every answer is as expected."""
    load = put_under_load(
        contestant.server.port, headers, seconds=seconds, connections=connections, path=contestant.path
    )
    if not load.requests:
        raise WrongAnswers(f"{contestant.name} gave no answer in {seconds} s: is the machine busy?")
    expected = load.requests if refused else 0
    if load.broken or load.refused != expected:
        raise WrongAnswers(
            f"{contestant.name} refused {load.refused} of {load.requests} requests, "
            f"{expected} were expected, and {load.broken} had no answer."
        )
    return load


if __name__ == "__main__":
    sys.exit(main())
