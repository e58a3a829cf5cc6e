"""Rows that no rule has looked at, for what only the checks are asked about."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from portal import clock
from portal.models import ApiKey
from portal.services.core import ids
from portal.services.core.transaction import transaction
from portal.services.keys import secrets
from tests.support.cast import CreatedKey, Person


def forge(app: Flask, owner: Person, **columns: object) -> CreatedKey:
    """A key with conditions, as a row; the rules of making one have tests of their own."""
    with app.app_context(), transaction() as session:
        pepper = app.config["PORTAL"].current_pepper
        secret, now = secrets.create_secret("chk"), clock.utcnow()
        values = {
            "id": ids.uuid7(),
            "account_id": owner.account_id,
            "name": "forged",
            "level": 4,
            "digest": secrets.digest(app.config["PORTAL"].peppers.get_secret_value()[pepper], secret),
            "pepper_id": pepper,
            "created_at": now,
            "expires_at": now + timedelta(days=30),
        }
        key = ApiKey(**(values | columns))
        session.add(key)
        session.flush()
        return CreatedKey(str(key.id), secret)
