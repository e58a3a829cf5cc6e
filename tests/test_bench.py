"""The benchmark: what it reads, and what it sends as a stranger."""

from __future__ import annotations

import pytest

from bench.load import Load, LoadError, parse
from bench.portal_client import misspelt, strangers_secret
from portal.services.keys import secrets


def test_it_reads_the_line_that_the_load_ends_with() -> None:
    load = parse("Running 2s test\nRESULT 3000 2000000 1500 9000 2 1\n")

    assert load == Load(requests=3000, seconds=2.0, p50=1.5, p99=9.0, refused=2, broken=1)
    assert load.rate == 1500


def test_it_says_so_when_there_was_no_load() -> None:
    with pytest.raises(LoadError, match="unable to connect"):
        parse("", "unable to connect")


def test_its_strangers_send_what_they_are_named_for() -> None:
    secret = strangers_secret()

    assert secrets.is_well_formed(secret, "chk")
    assert not secrets.is_well_formed(misspelt(secret), "chk")
