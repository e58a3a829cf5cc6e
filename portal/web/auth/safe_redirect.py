"""Where somebody wanted to go before they were asked to sign in."""

from __future__ import annotations


def safe_target(text: str | None, root: str = "") -> str | None:
    r"""A path of this site, or None for anything that a browser might read as another one.

    ``root`` is the path below which this site stands; what is beside it is not ours. Browsers
    take ``//host`` and ``/\host`` for another site, and drop tabs and line feeds.
    """
    if not text or not text.startswith("/") or text.startswith("//"):
        return None
    path = text.partition("?")[0].partition("#")[0].lower().replace("%2e", ".")
    if root and not (text.startswith(f"{root}/") and not {".", ".."} & set(path.split("/"))):
        return None
    return text if text.isprintable() and "\\" not in text and " " not in text else None
