"""Names and addresses that could be taken for others: words of office, and letters of other scripts."""

from __future__ import annotations

import re
import unicodedata

from portal.permissions import Role
from portal.services.core.free_text import escaped

_WORDS = (
    "abuse admin administrator chatelaine helpdesk hostmaster moderator operator owner portal postmaster "
    "root security staff superuser support sysadmin system webmaster"
)
OFFICES = frozenset(_WORDS.split()) | {role.value for role in Role if role.level > Role.USER.level}
"""No part of a name reads like one of these, with or without digits after it."""

COMMON_ROLES = frozenset(role.value for role in Role) - OFFICES
"""Roles without power: nobody's whole name is one, though a name may begin with it."""

_ALIKE = str.maketrans("013457i", "oleastl")
_LIKE_LATIN = frozenset({"ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "GREEK", "LISU"})
_LATIN_LIKE = frozenset("асԁеһіјӏорԛѕԝхуαικνορτυχ")
"""Letters of Cyrillic and Greek that make up whole words which read like Latin ones."""

_TOGETHER = frozenset({"BOPOMOFO", "CJK", "HANGUL", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA"})
"""Scripts that one language writes side by side."""


def is_reserved(name: str, portal: str = "") -> bool:
    """Whether a user's name reads like an office of the portal: ``Admin``, ``supp0rt``, ``the.root``.

    The whole name of the ``portal`` is one too.

    Names are letters and digits of ASCII (:func:`portal.services.accounts.fields.clean_username`), so no
    other script has to be folded here.
    """
    parts = re.split(r"[._-]+", name.lower())
    whole = "".join(parts)
    read = {_read(form) for part in (*parts, whole) for form in (part, part.rstrip("0123456789"))}
    own = _read("".join(each for each in portal.lower() if each.isalnum()))
    if own and own in {_read(whole), _read(whole.rstrip("0123456789"))}:
        return True
    return bool(read & set(map(_read, OFFICES))) or _read(whole) in map(_read, COMMON_ROLES)


def shown_email(email: str) -> str:
    r"""An address of mail as everybody reads it: where scripts mix, no letter passes for another.

    The domain is then written as ``xn--``, a name before the @ with escapes: ``\u0430dmin``.
    """
    local, at, domain = escaped(email).rpartition("@")
    if len(_scripts(local)) > 1 or (_passes_for_latin(local) and "LATIN" in _scripts(domain)):
        local = local.encode("ascii", "backslashreplace").decode()
    return f"{local}{at}{_shown_domain(domain)}"


def _shown_domain(domain: str) -> str:
    labels = [_scripts(label) for label in domain.split(".")]
    used = frozenset[str]().union(*labels)
    if all(len(each) <= 1 for each in labels) and not ("LATIN" in used and used & _LIKE_LATIN):
        return domain
    import idna  # noqa: PLC0415  # seldom needed

    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain.encode("ascii", "backslashreplace").decode()


def _scripts(text: str) -> frozenset[str]:
    """The scripts of the letters, as their Unicode names begin; those that belong together as one."""
    names = {re.split("[ -]", unicodedata.name(each, "?"))[0] for each in text if each.isalpha()}
    return frozenset("CJK" if name in _TOGETHER else name for name in names)


def _passes_for_latin(text: str) -> bool:
    letters = {each for each in text.lower() if each.isalpha()}
    return bool(letters) and letters <= _LATIN_LIKE


def _read(word: str) -> str:
    """A word as a quick eye reads it."""
    return word.translate(_ALIKE).replace("rn", "m").replace("vv", "w")
