"""The other ways of checking a key that the portal is measured against.

Each module has ``app``, a WSGI application that answers ``GET /api/whoami/key`` with the JSON
in ``BENCH_BODY``, and ``prepare(count)``, which makes its tables and that many keys in the
database of ``BENCH_DATABASE_URL`` and gives the Authorization header of each.
"""

from __future__ import annotations

import json
import os
from typing import Any


def body() -> dict[str, Any]:
    """The JSON that each peer answers with: the portal's own, for its first key."""
    return dict(json.loads(os.environ["BENCH_BODY"]))
