"""The examples of the documentation. They run as they stand; a test does that.

Each takes ``CHATELAINE_URL``, ``CHATELAINE_KEY`` and ``CHATELAINE_SECRET`` from the
environment, as the .env file of a new key has them; those of a service also
``VISITOR_SECRET``, which its visitor has shown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One thing done, in one language."""

    id: str
    language: str
    text: str


ASK = (
    Example(
        "ask-curl", "curl", 'curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" "$CHATELAINE_URL/api/whoami/key"'
    ),
    Example(
        "ask-python",
        "Python",
        """\
import json, os
from base64 import b64encode
from urllib.request import Request, urlopen

pair = f"{os.environ['CHATELAINE_KEY']}:{os.environ['CHATELAINE_SECRET']}"
asked = Request(os.environ["CHATELAINE_URL"] + "/api/whoami/key")
asked.add_header("Authorization", "Basic " + b64encode(pair.encode()).decode())
with urlopen(asked) as answer:
    print(json.load(answer)["apikey"]["level"])""",
    ),
    Example(
        "ask-javascript",
        "JavaScript",
        """\
const { CHATELAINE_URL, CHATELAINE_KEY, CHATELAINE_SECRET } = process.env;
const pair = Buffer.from(`${CHATELAINE_KEY}:${CHATELAINE_SECRET}`).toString("base64");
const answer = await fetch(`${CHATELAINE_URL}/api/whoami/key`, {
  headers: { Authorization: `Basic ${pair}` },
});
const { apikey } = await answer.json();
console.log(apikey.level);""",
    ),
)

MAKE = (
    Example(
        "make-curl",
        "curl",
        """\
curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" \\
  --json '{"name": "nightly build", "level": 1, "expiresIn": 86400}' \\
  "$CHATELAINE_URL/api/apikeys/key\"""",
    ),
    Example(
        "make-python",
        "Python",
        """\
import json, os
from base64 import b64encode
from urllib.error import HTTPError
from urllib.request import Request, urlopen

pair = f"{os.environ['CHATELAINE_KEY']}:{os.environ['CHATELAINE_SECRET']}"
wanted = {"name": "nightly build", "level": 1, "expiresIn": 24 * 60 * 60}
asked = Request(os.environ["CHATELAINE_URL"] + "/api/apikeys/key", json.dumps(wanted).encode())
asked.add_header("Authorization", "Basic " + b64encode(pair.encode()).decode())
asked.add_header("Content-Type", "application/json")
try:
    with urlopen(asked) as answer:
        made = json.load(answer)["apikey"]
        print(made["key"], made["expiresAt"])
except HTTPError as error:
    print(json.load(error)["message"])""",
    ),
    Example(
        "make-javascript",
        "JavaScript",
        """\
const { CHATELAINE_URL, CHATELAINE_KEY, CHATELAINE_SECRET } = process.env;
const pair = Buffer.from(`${CHATELAINE_KEY}:${CHATELAINE_SECRET}`).toString("base64");
const answer = await fetch(`${CHATELAINE_URL}/api/apikeys/key`, {
  method: "POST",
  headers: { Authorization: `Basic ${pair}`, "Content-Type": "application/json" },
  body: JSON.stringify({ name: "nightly build", level: 1, expiresIn: 86400 }),
});
const { apikey, message } = await answer.json();
console.log(answer.ok ? apikey.key : message);""",
    ),
)

ROTATE = (
    Example(
        "rotate-curl",
        "curl",
        """\
curl -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" \\
  --json '{"overlap": 3600}' \\
  "$CHATELAINE_URL/api/apikeys/$CHATELAINE_KEY/rotate/key\"""",
    ),
)
"""How a script renews its own secret, without a person."""

PROTECT = (
    Example(
        "protect-authorize",
        "curl",
        """\
curl -i "$CHATELAINE_URL/api/authorize?level=3" \\
  -H "Authorization: Bearer $VISITOR_SECRET\"""",
    ),
    Example(
        "protect-introspect",
        "curl",
        """\
curl "$CHATELAINE_URL/api/introspect" \\
  -u "$CHATELAINE_KEY:$CHATELAINE_SECRET" \\
  --data-urlencode "token=$VISITOR_SECRET\"""",
    ),
    Example(
        "protect-python",
        "Python",
        """\
import os
from chatelaine_client import Portal

names = ("CHATELAINE_URL", "CHATELAINE_KEY", "CHATELAINE_SECRET")
portal = Portal(*(os.environ[name] for name in names))
visitor = portal.check(os.environ["VISITOR_SECRET"], level=3)
print(visitor.username)""",
    ),
)
"""How a service learns who its visitor is."""
