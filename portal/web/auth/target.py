"""Where somebody wanted to go before they were asked to sign in."""

from __future__ import annotations


def safe_target(text: str | None) -> str | None:
    r"""A path of this site, or None for anything that a browser might read as another one.

    Browsers take ``//host`` and ``/\host`` for another site, and drop tabs and line feeds.
    """
    if not text or not text.startswith("/") or text.startswith("//"):
        return None
    return text if text.isprintable() and "\\" not in text and " " not in text else None
