"""The examples in JavaScript, for Node.js and other runtimes with ``fetch``."""

_PAIR = """\
const { CHATELAINE_URL, CHATELAINE_KEY, CHATELAINE_SECRET } = process.env;
const pair = btoa(`${CHATELAINE_KEY}:${CHATELAINE_SECRET}`);
"""

SAMPLES = {
    "ask": _PAIR
    + """\
const answer = await fetch(`${CHATELAINE_URL}/api/whoami/key`, {
  headers: { Authorization: `Basic ${pair}` },
});
const { apikey } = await answer.json();
console.log(apikey.level);""",
    "create": _PAIR
    + """\
const answer = await fetch(`${CHATELAINE_URL}/api/apikeys/key`, {
  method: "POST",
  headers: { Authorization: `Basic ${pair}`, "Content-Type": "application/json" },
  body: JSON.stringify({ name: "nightly build", level: 1, expiresIn: 86400 }),
});
const { apikey, message } = await answer.json();
console.log(answer.ok ? apikey.key : message);""",
    "rotate": _PAIR
    + """\
const answer = await fetch(`${CHATELAINE_URL}/api/apikeys/${CHATELAINE_KEY}/rotate/key`, {
  method: "POST",
  headers: { Authorization: `Basic ${pair}`, "Content-Type": "application/json" },
  body: JSON.stringify({ overlap: 3600 }),
});
const { apikey, replaces } = await answer.json();
console.log(apikey.key, "replaces", replaces);""",
    "revoke": _PAIR
    + """\
const answer = await fetch(`${CHATELAINE_URL}/api/apikeys/${CHATELAINE_KEY}/key`, {
  method: "DELETE",
  headers: { Authorization: `Basic ${pair}` },
});
console.log(answer.status);""",
    "introspect": _PAIR
    + """\
const answer = await fetch(`${CHATELAINE_URL}/api/introspect`, {
  method: "POST",
  headers: { Authorization: `Basic ${pair}` },
  body: new URLSearchParams({ token: process.env.VISITOR_SECRET }),
});
const visitor = await answer.json();
console.log(visitor.active, visitor.username);""",
}
