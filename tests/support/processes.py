"""Programs that do the same work in several processes at once."""

from __future__ import annotations

import subprocess
import sys

from tests.support.databases import ROOT

PROCESSES = 4


def in_processes(program: str, *arguments: str) -> list[list[str]]:
    """Run a program in four processes at once; the words that each of them printed.

    A program makes what it needs, reads a line, and then does its work.
    """
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    return [child.communicate(timeout=60)[0].split() for child in children]
