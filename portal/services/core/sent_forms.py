"""A form that is sent twice is done once, and its second answer is as good as its first.

A browser that sends a form again before it was answered (a double click) throws the first
answer away. So each form of a page carries 256 random bits, and what it asks for is done in one
transaction with a row that spends it: :func:`portal.services.core.audit.log_event` sees to that. For ten
seconds the same form, with the same content, from the same browser, gets the same answer.
``docs/decisions/0022-sent-twice.md`` says why it is as it is.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.extensions import db, settings
from portal.models import SentForm
from portal.services.core.errors import AlreadySent
from portal.services.core.transaction import count_changed, transaction
from portal.services.core.upsert import insert_into

ANSWERED_AGAIN = timedelta(seconds=10)
"""For how long the same form gets the same answer. Longer, and it would be another wish."""

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was sent: which one, by a digest, and the random bits that it carried."""

    id: bytes
    bits: str = field(repr=False)

    @classmethod
    def of(cls, browser: str, path: str, bits: str, content: Iterable[tuple[str, str]]) -> Form:
        """The form that a browser has sent; ``browser`` is what nobody else's cookie has."""
        text = json.dumps([browser, path, bits, sorted(content)])
        return cls(sha256(text.encode("ascii")).digest(), bits)

    def number_for(self, account_id: int) -> UUID:
        """What is kept of the form with the key that it made, for ever: half a digest of its bits."""
        return UUID(bytes=sha256(f"key {account_id} {self.bits}".encode()).digest()[:16])


def spend(session: Session, form: Form, request_id: str) -> SentForm:
    """Spend a form in the caller's transaction. Within one request it may be spent again.

    Who sends the same form at the same moment waits here until that transaction ends. Raises
    AlreadySent when another request has spent it.
    """
    now = clock.utcnow()
    session.execute(delete(SentForm).where(SentForm.id == form.id, SentForm.at <= now - ANSWERED_AGAIN))
    statement = insert_into(session.connection(), SentForm)
    row = {"id": form.id, "request_id": request_id, "at": now, "salt": secrets.token_bytes(SALT_BYTES)}
    session.execute(statement.values(row).on_conflict_do_nothing())
    found = session.get_one(SentForm, form.id, populate_existing=True)
    if found.request_id != request_id:
        raise AlreadySent
    return found


def find(forms: Sequence[Form]) -> tuple[Form, SentForm] | None:
    """The one of these forms that was spent in the last ten seconds, with its row."""
    db.session.rollback()  # what another request has committed a moment ago shall be seen
    newest = clock.utcnow() - ANSWERED_AGAIN
    found = db.session.scalars(
        select(SentForm).where(SentForm.id.in_([form.id for form in forms]), SentForm.at > newest)
    ).first()
    if found is None:
        return None
    return next(form for form in forms if form.id == found.id), found


def keep_answer(form: Form, answer: dict[str, Any]) -> None:
    """Keep how a form was answered. Nothing secret belongs there."""
    with transaction() as session:
        session.execute(update(SentForm).where(SentForm.id == form.id).values(answer=answer))


def derive(form: Form, sent: SentForm, *purpose: object) -> bytes:
    """256 bits for a purpose, which only this form, this row and this server make together."""
    text = json.dumps([*map(str, purpose), form.bits, sent.salt.hex()])
    return hmac.digest(settings.secret_key.get_secret_value().encode(), text.encode(), "sha256")


def forget() -> int:
    """Delete the rows of forms that are answered no more, and their salts with them; returns how many."""
    with transaction() as session:
        return count_changed(session, delete(SentForm).where(SentForm.at <= clock.utcnow() - ANSWERED_AGAIN))
