"""A Flask route that answers the same JSON without any check: the ceiling of Flask."""

from __future__ import annotations

from flask import Flask, Response, jsonify

from bench.peers import body

app = Flask(__name__)
BODY = body()


@app.get("/api/whoami/key")
def whoami() -> Response:
    """Answer whoever asks."""
    return jsonify(BODY)


def prepare(count: int) -> list[str]:
    """Nothing to make; headers are sent as to the others, and not looked at."""
    return [f"Basic {number:080d}" for number in range(count)]
