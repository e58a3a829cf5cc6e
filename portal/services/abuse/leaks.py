"""Secrets that leaked: whoever holds one may report it, and its key's line ends for good.

Nobody has to sign in for that, and nobody is told what a report has done: it would be a way
to ask whether a secret is good. A report asks the database the same number of times whether
there is a hit or not; what a hit costs besides, only somebody who holds a secret can cause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.extensions import db, settings
from portal.models import Account, ApiKey, MailKind, RevocationReason
from portal.services.core.actor import Actor
from portal.services.core.transaction import get_account_for_update, transaction
from portal.services.keys import queries as key_queries
from portal.services.keys import secrets
from portal.services.keys.revocation import MOST_NAMED, revoke_these
from portal.services.mail import outbox

MOST_SECRETS = 1000
"""How many one report from a stranger may hold."""

AT_ONCE = 1000
"""Digests that one query asks for."""

LONGEST_PLACE = 300
MOST_PLACES = 3
"""Places that are told of one key: of a repository with many forks the first will do."""

WRAPPING = " \t\r\n\"'`,;"
"""What stands around a secret that was cut out of code or of a configuration."""


class Reporter(StrEnum):
    """Through what a leak was reported."""

    PAGE = "page"
    API = "api"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret and where it was found, in the words of whoever reports it."""

    secret: str = field(repr=False)
    found_at: str = field(default="", repr=False)


Places = dict[str, list[str]]


def search(text: str) -> list[str]:
    """The secrets that stand in a text, each once; a look-alike with a wrong checksum is none."""
    found = dict.fromkeys(secrets.pattern(settings.key_prefix).findall(text))
    return [each for each in found if secrets.is_well_formed(each, settings.key_prefix)]


def unwrap(secret: str) -> str:
    """The secret without the quotes and the white space around it."""
    return secret.strip(WRAPPING)


def report(actor: Actor, leaks: Iterable[Leak], reporter: Reporter) -> frozenset[str]:
    """End the line of each secret that is ours, record each key and write to its owner.

    The key is revoked, with its successors and all that was created with it or them: whoever
    held the secret may have done that before the report. What is revoked already stays as it
    is, so that a report which comes twice does nothing twice. An expired key is revoked too:
    its owner has to know. Each account has a transaction of its own; a report that breaks off
    may simply be sent again. Returns the secrets that are ours, without what was around them;
    tell them to nobody but GitHub.
    """
    places = _places_of(leaks)
    hits: defaultdict[int, dict[UUID, str]] = defaultdict(dict)
    for account_id, key_id, secret in find_keys(list(places)):
        hits[account_id][key_id] = secret
    for account_id in sorted(hits):
        found_at = {key_id: places[secret] for key_id, secret in hits[account_id].items()}
        _revoke(actor, account_id, found_at, reporter)
    return frozenset(secret for keys in hits.values() for secret in keys.values())


def clean_place(text: str) -> str:
    """Where a leak was found, fit to be read: one short line that holds no secret of ours."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    line = secrets.hide(line, settings.key_prefix)
    return line if len(line) <= LONGEST_PLACE else f"{line[: LONGEST_PLACE - 1]}…"


def _places_of(leaks: Iterable[Leak]) -> Places:
    """The places of each secret that is well formed, in the order in which they were told.

    A stranger may name one long place for many secrets, so each is cleaned once.
    """
    found: Places = {}
    cleaned: dict[str, str] = {}
    for leak in leaks:
        secret = unwrap(leak.secret)
        if not secrets.is_well_formed(secret, settings.key_prefix):
            continue
        places = found.setdefault(secret, [])
        if leak.found_at not in cleaned:
            cleaned[leak.found_at] = clean_place(leak.found_at)
        place = cleaned[leak.found_at]
        if place and place not in places and len(places) < MOST_PLACES:
            places.append(place)
    return found


def find_keys(given: Sequence[str]) -> Iterable[tuple[int, UUID, str]]:
    """Account, key and secret of each that is ours, revoked or not; found by its digest."""
    for start in range(0, len(given), AT_ONCE):
        for pepper_id, pepper in settings.peppers.get_secret_value().items():
            by_digest = {secrets.digest(pepper, each): each for each in given[start : start + AT_ONCE]}
            query = select(ApiKey.account_id, ApiKey.id, ApiKey.digest).where(
                ApiKey.digest.in_(by_digest), ApiKey.pepper_id == pepper_id
            )
            for account_id, key_id, digest in db.session.execute(query):
                yield account_id, key_id, by_digest[digest]


def _revoke(actor: Actor, account_id: int, found_at: Mapping[UUID, list[str]], reporter: Reporter) -> None:
    """Revoke the lines of the keys whose secrets were found, in one transaction."""
    with transaction() as session:
        account = get_account_for_update(session, account_id)
        if account is None:
            return
        told: dict[UUID, dict[str, object]] = {
            key_id: {"line": str(found), "reporter": reporter.value}
            for key_id, found in key_queries.line_of(session, found_at).items()
        }
        for key_id, places in found_at.items():
            told[key_id] = {"found_at": places, "reporter": reporter.value}
        ended = revoke_these(session, actor, account_id, RevocationReason.LEAKED, told)
        if ended:
            _tell(session, account, found_at, ended, reporter)


def _tell(
    session: Session,
    account: Account,
    found_at: Mapping[UUID, list[str]],
    ended: Mapping[UUID, str],
    reporter: Reporter,
) -> None:
    """Write the owner one mail: whose secrets were found, and what ended."""
    first = sorted(found_at)[:MOST_NAMED]
    names = dict(session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(first))).all())
    line = [(name, str(key_id)) for key_id, name in ended.items() if key_id not in found_at]
    outbox.enqueue_to(
        session,
        account,
        MailKind.KEYS_LEAKED,
        leaked=[
            {
                "name": names[key_id],
                "key": str(key_id),
                "found_at": found_at[key_id],
                "ended_before": key_id not in ended,
            }
            for key_id in first
        ],
        reported=len(found_at),
        line=[f"{name} ({key_id})" for name, key_id in line[:MOST_NAMED]],
        others=len(line),
        keys=len(ended),
        reporter=reporter.value,
    )
