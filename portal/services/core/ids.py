"""New ids."""

from __future__ import annotations

import secrets
from uuid import UUID

from portal import clock


def uuid7() -> UUID:
    """Make a UUID of version 7 (RFC 9562, 5.7): milliseconds, then 74 random bits."""
    number = clock.now_ms() << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    return UUID(int=number & ~(0x3 << 62) | 0x2 << 62)
