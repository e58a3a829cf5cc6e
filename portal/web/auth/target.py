"""Where somebody wanted to go before they were asked to sign in."""

from __future__ import annotations

from urllib.parse import urlsplit


def safe_target(text: str | None) -> str | None:
    r"""A path of this site, or None for anything that a browser might read as another one.

    Browsers take ``//host`` and ``/\host`` for another site, and drop tabs and line feeds.
    """
    if not text or not text.startswith("/") or text.startswith("//"):
        return None
    if "\\" in text or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else text
