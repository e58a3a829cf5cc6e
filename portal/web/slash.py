"""An address with a slash too many leads to its page."""

from __future__ import annotations

from urllib.parse import quote

from flask import current_app, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response


def led_on() -> Response | None:
    """Lead from ``/docs/`` to ``/docs``, with what it asks; None where there is no such page either."""
    bare = request.path[:-1]
    if request.method not in {"GET", "HEAD"} or not request.path.endswith("/") or not _is_page(bare):
        return None
    asked = request.query_string.decode("latin-1")
    return redirect(request.root_path + quote(bare) + (f"?{asked}" if asked else ""), 308)


def _is_page(path: str) -> bool:
    """Whether a page stands there itself: a path with two slashes would lead to another host."""
    adapter = current_app.create_url_adapter(request)
    if adapter is None or path.startswith("//"):
        return False
    try:
        endpoint, _values = adapter.match(path, method="GET")
    except (HTTPException, RequestRedirect):
        return False
    return bool(endpoint != "static")
