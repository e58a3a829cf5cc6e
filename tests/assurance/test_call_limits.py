"""The limit of a key holds in total on the server as it is shipped (row 53)."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import MakeKey, StartServer
from tests.support.cast import Cast
from tests.support.wire import Wire

LIMIT, CALLS, AT_ONCE = 60, 300, 16


@pytest.mark.sqlite_only(reason="that processes count exactly is shown on both databases")
def test_two_workers_let_a_key_call_as_often_as_it_may_and_no_oftener(
    start_server: StartServer, cast: Cast, make_key: MakeKey
) -> None:
    server = start_server(PORTAL_CALLS_PER_DAY=str(LIMIT), PORTAL_WORKERS="2")
    key = make_key(cast.alice)

    def call(_number: int) -> tuple[int, bool]:
        """Through a new connection, so that both workers are asked."""
        with Wire(server.port) as wire:
            answer = wire.get("/api/authorize", **key.headers)
        return answer.status, "Retry-After" in answer.headers

    with ThreadPoolExecutor(AT_ONCE) as pool:
        told = Counter(pool.map(call, range(CALLS)))

    assert told == {(204, False): LIMIT, (429, True): CALLS - LIMIT}
