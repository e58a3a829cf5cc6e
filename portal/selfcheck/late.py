"""Requests whose body comes late: meanwhile something else is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

from portal.selfcheck.answers import code
from portal.selfcheck.stage import Stage


class Late(BytesIO):
    """A body, before the first byte of which something is done."""

    def __init__(self, body: bytes, before: Callable[[], object]) -> None:
        super().__init__(body)
        self._before: Callable[[], object] | None = before

    def read(self, size: int | None = -1, /) -> bytes:
        """Do it once, then read."""
        if self._before is not None:
            before, self._before = self._before, None
            before()
        return super().read(size)


def send_late(
    stage: Stage, method: str, path: str, body: dict[str, Any], before: Callable[[], object], **more: Any
) -> str:
    """What a worker says when another one does something between the head of a request and its body."""
    data = json.dumps(body).encode()
    answer = stage.call(
        method,
        path,
        worker=1,
        input_stream=Late(data, lambda: stage.act(before)),
        content_length=len(data),
        content_type="application/json",
        **more,
    )
    return code(answer)
