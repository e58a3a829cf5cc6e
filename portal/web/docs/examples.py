"""What the documentation shows of programs: one thing done, in each language, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass

from portal.web.docs.samples import curl, go, javascript, python

LANGUAGES = {"curl": "curl", "python": "Python", "javascript": "JavaScript", "go": "Go"}
"""What ``?lang=`` may say, and the name of each."""

FIRST = "curl"
"""The language of whoever has not chosen one."""

FENCES = {"curl": "sh", "python": "python", "javascript": "js", "go": "go"}
"""What Markdown calls them."""

_SAMPLES = {
    "curl": curl.SAMPLES,
    "python": python.SAMPLES,
    "javascript": javascript.SAMPLES,
    "go": go.SAMPLES,
}


@dataclass(frozen=True, slots=True)
class Example:
    """One thing done, in one language."""

    name: str
    language: str
    text: str

    @property
    def id(self) -> str:
        """Its id on the page."""
        return f"{self.name}-{self.language}"


EXAMPLES: dict[str, dict[str, Example]] = {
    name: {
        language: Example(name, language, samples[name])
        for language, samples in _SAMPLES.items()
        if name in samples
    }
    for name in ("ask", "create", "rotate", "revoke", "introspect", "authorize", "client")
}


def written_in(name: str, language: str) -> Example:
    """An example in this language, or in the first that there is."""
    found = EXAMPLES[name]
    return found.get(language) or next(iter(found.values()))


ANSWERS = {
    "ask": (
        "200",
        """\
{
  "result": "success",
  "apikey": {
    "key": "0195aa07-…",
    "name": "Deploy bot",
    "level": 3,
    "expiresAt": "2026-12-26T21:30:00Z",
    …
  }
}""",
    ),
    "create": (
        "201",
        """\
{
  "result": "created",
  "apikey": {
    "key": "0195b2c4-…",
    "secret": "{prefix}_…",
    "level": 1,
    "name": "nightly build",
    "createdAt": "2026-11-27T20:00:00Z",
    "expiresAt": "2026-11-28T20:00:00Z",
    …
  }
}""",
    ),
    "rotate": (
        "201",
        """\
{
  "result": "created",
  "apikey": {
    "key": "0195b2c9-…",
    "secret": "{prefix}_…",
    …
  },
  "replaces": "0195aa07-…",
  "retiresAt": "2026-11-27T21:00:00Z"
}""",
    ),
    "introspect": (
        "200",
        """\
{
  "active": true,
  "scope": "level:3",
  "client_id": "0195aa07-…",
  "username": "ola",
  "exp": 1798320600,
  …
}""",
    ),
    "authorize": (
        "204",
        """\
Portal-Account: 1042
Portal-Username: ola
Portal-Role: user
Portal-Level: 3
Portal-Key: 0195aa07-…""",
    ),
    "error": (
        "403",
        """\
{
  "result": "error",
  "error": "insufficientAccessLevel",
  "message": "…",
  "requestId": "…"
}""",
    ),
}
"""Statuses and bodies that come back; ``…`` stands for what is left out."""
