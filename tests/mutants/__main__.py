"""Break the code, one mutant at a time in copies of the tree, and see whether its tests notice."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.copies import Copy, Verdict, make_copy
from tests.mutants.table import Inapplicable, Mutant, choose, load_table, mutated
from tests.support.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2


def main() -> int:
    """Run what was asked for; the exit code is 0 when each was noticed, or is explained and was not."""
    wishes = _wishes()
    try:
        chosen = choose(load_table(), only=wishes.only, tenth=_tenth(wishes.tenth))
        for mutant in chosen:
            mutated(ROOT, mutant)
    except Inapplicable as error:
        print(error, file=sys.stderr)
        return 1
    if not chosen:
        print("No mutant has this name.", file=sys.stderr)
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-")))
        postgres = stack.enter_context(_postgres()) if wishes.selfcheck else None
        copies = [make_copy(ROOT, folder / str(number), postgres) for number in range(AT_ONCE)]
        red = _red_tests(copies, chosen)
        verdicts = _run(copies, chosen, red, wishes.selfcheck)
    return sum_up(verdicts, wishes.selfcheck)


@contextmanager
def _postgres() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _wishes() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--only", default="", help="subjects (sessions jwt) or patterns (*/*expiry*)")
    parser.add_argument("--tenth", default="", help="0 to 9, or today: the tenth of this day")
    parser.add_argument("--selfcheck", action="store_true", help="let selfcheck notice too")
    return parser.parse_args()


def _tenth(text: str) -> int | None:
    if text == "today":
        return datetime.now(UTC).timetuple().tm_yday % 10
    return int(text) if text else None


def _red_tests(copies: Sequence[Copy], mutants: Sequence[Mutant]) -> list[str]:
    """What fails on the code as it is; it proves nothing about a mutant."""
    begun = time.monotonic()
    wanted = {
        database: sorted({test for each in mutants if each.database == database for test in each.tests})
        for database in sorted({each.database for each in mutants})
    }
    jobs = [(tests[half::AT_ONCE], database) for database, tests in wanted.items() for half in range(AT_ONCE)]
    free = _free(copies)

    def test(job: tuple[list[str], str]) -> list[str]:
        copy = free.get()
        try:
            return copy.failures(*job) if job[0] else []
        finally:
            free.put(copy)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        red = [each for some in pool.map(test, jobs) for each in some]
    told = f"Without any mutant {len(red)} of their tests fail: {time.monotonic() - begun:.0f} s."
    print("\n  ".join([told, *red]), flush=True)
    return red


def _run(
    copies: Sequence[Copy], mutants: Sequence[Mutant], red: Sequence[str], selfcheck: bool
) -> list[Verdict]:
    free = _free(copies)

    def attempt(mutant: Mutant) -> Verdict:
        copy = free.get()
        try:
            verdict = copy.proves_nothing(mutant, red) or copy.attempt(mutant, selfcheck=selfcheck)
        finally:
            free.put(copy)
        unseen = (
            "  not by selfcheck" if selfcheck and mutant.promise and not verdict.selfcheck_noticed else ""
        )
        print(f"{verdict.word:<11} {mutant.id}  {verdict.seconds:.1f} s  {verdict.told}{unseen}", flush=True)
        return verdict

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(attempt, mutants))


def _free(copies: Sequence[Copy]) -> SimpleQueue[Copy]:
    free: SimpleQueue[Copy] = SimpleQueue()
    for copy in copies:
        free.put(copy)
    return free


def sum_up(verdicts: Sequence[Verdict], selfcheck: bool) -> int:
    """Print what was not noticed, and how much was; return the exit code."""
    equal = [each for each in verdicts if each.mutant.equivalent]
    asked = [each for each in verdicts if not each.mutant.equivalent]
    for verdict in asked:
        if not verdict.noticed:
            print(f"\n{verdict.word}: {verdict.mutant.id}  ({', '.join(verdict.mutant.tests)})")
            for edit in verdict.mutant.edits:
                print(f"  {edit.file}\n  - {edit.before}\n  + {edit.after}")
    for verdict in equal:
        told = "NOTICED after all: take the explanation out" if verdict.noticed else verdict.mutant.equivalent
        print(f"\nequivalent: {verdict.mutant.id}: {told}")
    if selfcheck:
        promised = [each for each in verdicts if each.mutant.promise]
        unseen = [each for each in promised if not each.selfcheck_noticed]
        print(f"\nselfcheck noticed {len(promised) - len(unseen)} of {len(promised)} broken promises.")
        for verdict in unseen:
            print(f"  not noticed: {verdict.mutant.promise}: {verdict.mutant.id}")
    noticed = sum(each.noticed for each in asked)
    score = 100 * noticed / len(asked) if asked else 100.0
    print(f"\n{noticed} of {len(asked)} mutants noticed: {score:.1f} %; {len(equal)} equivalent besides.")
    return 0 if noticed == len(asked) and not any(each.noticed for each in equal) else 1


if __name__ == "__main__":
    sys.exit(main())
