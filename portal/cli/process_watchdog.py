"""Processes that end with the one that started them, even when that is killed.

Otherwise workers would go on holding the port, and nothing could start again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import parent_process
from typing import Any

from portal.cli.starting import load_app

LOOK_EVERY = 1.0
"""Seconds."""


def end_with(parent: int) -> None:
    """Ask this process to end, as SIGTERM does, as soon as ``parent`` is no longer its parent."""
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def load_worker(_target: str) -> Callable[..., Any]:
    """Create the application in a worker of the server, without the command line."""
    parent = parent_process()
    if parent is not None and parent.pid is not None:
        end_with(parent.pid)
    return load_app()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
