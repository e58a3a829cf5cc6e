"""The settings that the tests run the portal with."""

from __future__ import annotations

from pathlib import Path

SECRET_KEY = "0Ue4qPz7xW2nKc9RtLb5HsYv8JmDg3Af6"
PEPPERS = "p1:Zr8TqLw2Xv6NcKe4PyHb9JsMd5Ug3Fa7"


def settings_for(database_url: str, instance: Path, **overrides: str) -> dict[str, str]:
    """Write the settings of one portal; ``overrides`` are named as in the environment."""
    return {
        "PORTAL_DATABASE_URL": database_url,
        "PORTAL_INSTANCE_PATH": str(instance),
        "PORTAL_SECRET_KEY": SECRET_KEY,
        "PORTAL_PEPPERS": PEPPERS,
        "PORTAL_SELFCHECK_AFTER": "0",
        **overrides,
    }
