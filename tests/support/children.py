"""Programs that the tests start, and that do not outlive them."""

from __future__ import annotations

import shutil


def ending_with_us(signal_name: str) -> list[str]:
    """What to write before a command, so that it gets a signal when this process dies.

    A test run that is killed has no time to tidy up. Without util-linux there is no such thing.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal_name] if setpriv else []
