"""Any key, for operators: found by its id, its name, or the leaked secret itself. Each look is recorded.

A secret that is pasted is digested to find its key, as every check does it, and forgotten: no row,
no log and no answer holds it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, true
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.elements import ColumnElement

from portal.models import Action, ApiKey
from portal.models.pages import PAGE_SIZE, Slice, read_slice
from portal.services.abuse import leaks
from portal.services.core import audit, free_text
from portal.services.core.actor import Actor
from portal.services.core.errors import NotFound
from portal.services.core.transaction import transaction
from portal.services.operators.queries import admit_look, refuse_too_many

FIRST_DIGITS = 6
"""So many digits of an id are taken for one; fewer may be a name."""
_DIGITS = re.compile(rf"[0-9a-f]{{{FIRST_DIGITS},32}}")


def search_keys(actor: Actor, query: str = "", *, before: UUID | None = None) -> Slice[ApiKey]:
    """The keys of this id, of these first digits of one, or with this in their names, the newest first.

    The look is recorded with the keys that it showed, and not with what was typed: that may be
    anything. Raises Forbidden, Slowed.
    """
    refuse_too_many(actor)
    condition = _like(free_text.plain(query).strip())
    if before is not None:
        condition &= ApiKey.id < before
    with transaction() as session:
        admit_look(session, actor)
        asked = select(ApiKey).where(condition).order_by(ApiKey.id.desc()).options(joinedload(ApiKey.account))
        found = read_slice(session, asked, PAGE_SIZE, is_first=before is None)
        shown = [str(key.id) for key in found.items]
        audit.log_event(session, actor, Action.KEYS_SEARCHED, found=len(shown), keys=shown)
    return found


def find_by_secret(actor: Actor, text: str) -> Sequence[UUID]:
    """The keys whose secrets stand in a text, of whatever state; the look is recorded, the text is not.

    Raises Forbidden, Slowed.
    """
    refuse_too_many(actor)
    with transaction() as session:
        admit_look(session, actor)
        found = [key_id for _account, key_id, _secret in leaks.find_keys(leaks.search(text))]
        told = [str(key_id) for key_id in found]
        audit.log_event(session, actor, Action.KEYS_SEARCHED, found=len(told), keys=told, by="secret")
    return found


def read_key(actor: Actor, key_id: UUID, *, checked: bool = False) -> ApiKey:
    """One key, with its account, for an operator. The look is recorded.

    ``checked`` says that they try whether it would pass. Raises NotFound, Forbidden, Slowed.
    """
    refuse_too_many(actor)
    with transaction() as session:
        admit_look(session, actor)
        key = session.get(ApiKey, key_id, options=[joinedload(ApiKey.account)])
        if key is None:
            raise NotFound
        audit.log_event(
            session, actor, Action.KEY_READ, account_id=key.account_id, key_id=key_id, checked=checked
        )
    return key


def _like(words: str) -> ColumnElement[bool]:
    if not words:
        return true()
    named = ApiKey.name.icontains(words, autoescape=True)
    digits = words.lower().replace("-", "")
    if not _DIGITS.fullmatch(digits):
        return named
    first, last = (UUID(digits.ljust(32, filler)) for filler in "0f")
    of_id = ApiKey.id.between(first, last)
    return of_id if "-" in words or len(digits) == len(first.hex) else of_id | named
