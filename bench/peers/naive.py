"""The naive way with Flask: Flask-HTTPAuth, Werkzeug's password hash, Flask-SQLAlchemy."""

from __future__ import annotations

import os
import secrets
from base64 import b64encode

from flask import Flask, Response, jsonify
from flask_httpauth import HTTPBasicAuth
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.security import check_password_hash, generate_password_hash

from bench.peers import body


class Base(DeclarativeBase):
    """What the one table derives from."""


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["BENCH_DATABASE_URL"]
db = SQLAlchemy(app, model_class=Base)
auth = HTTPBasicAuth()
BODY = body()


class Key(db.Model):  # type: ignore[name-defined,misc]  # made at run time by Flask-SQLAlchemy
    """A key with the slow hash of its secret."""

    id: Mapped[str] = mapped_column(primary_key=True)
    secret_hash: Mapped[str]


@auth.verify_password
def verify(key_id: str, secret: str) -> str | None:
    """The id of the key when the secret is its own."""
    key = db.session.get(Key, key_id)
    return key_id if key and check_password_hash(key.secret_hash, secret) else None


@app.get("/api/whoami/key")
@auth.login_required
def whoami() -> Response:
    """Answer whoever holds a key."""
    return jsonify(BODY)


def prepare(count: int) -> list[str]:
    """Make the keys; they share one secret and its hash, so that making them is not slow."""
    secret = secrets.token_urlsafe(32)
    secret_hash = generate_password_hash(secret)
    ids = [secrets.token_hex(16) for _ in range(count)]
    with app.app_context():
        db.create_all()
        db.session.add_all(Key(id=key_id, secret_hash=secret_hash) for key_id in ids)
        db.session.commit()
    return ["Basic " + b64encode(f"{key_id}:{secret}".encode()).decode() for key_id in ids]
