"""Static files as gzip (RFC 9110, 8.4.1.3) for those who take it, compressed once per version.

Pages are not: they hold tokens beside what was sent with the request, and how well both compress
together would tell what the token is (the attack called BREACH). Static files hold no secret.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request

TEXTS = frozenset({"text/css", "text/javascript", "image/svg+xml"})
ENCODING = "gzip"


def init_app(app: Flask) -> None:
    """Serve the static files of an application compressed, where the browser takes that."""
    folder = Path(app.static_folder or "")

    def static(filename: str) -> Response:
        answer = app.send_static_file(filename)
        if answer.mimetype not in TEXTS or "Content-Range" in answer.headers:
            return answer
        answer.vary.add("Accept-Encoding")
        etag, _is_weak = answer.get_etag()
        if etag:
            answer.set_etag(etag, weak=True)  # the same file, though not the same bytes
        if answer.status_code == 200 and request.accept_encodings[ENCODING] > 0:
            found = (folder / filename).stat()
            answer.close()  # the file that would have been sent
            answer.direct_passthrough = False
            answer.set_data(_compressed(folder / filename, found.st_mtime_ns, found.st_size))
            answer.content_encoding = ENCODING
        return answer

    app.view_functions["static"] = static


@lru_cache(64)
def _compressed(path: Path, _changed: int, _size: int) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0)
