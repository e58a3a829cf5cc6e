"""The examples in Python. They need nothing but its standard library."""

_CALL = """\
import json, os
from base64 import b64encode
{imports}
url, key, secret = (os.environ["CHATELAINE_" + name] for name in ("URL", "KEY", "SECRET"))
call = Request({request})
call.add_header("Authorization", "Basic " + b64encode(f"{{key}}:{{secret}}".encode()).decode())
{rest}"""
_OPEN = "from urllib.request import Request, urlopen\n"
_JSON = 'call.add_header("Content-Type", "application/json")\n'

SAMPLES = {
    "ask": _CALL.format(
        imports=_OPEN,
        request='url + "/api/whoami/key"',
        rest="""\
with urlopen(call) as answer:
    print(json.load(answer)["apikey"]["level"])""",
    ),
    "create": _CALL.format(
        imports="from urllib.error import HTTPError\n" + _OPEN,
        request="""\
url + "/api/apikeys/key", json.dumps(
    {"name": "nightly build", "level": 1, "expiresIn": 24 * 60 * 60}
).encode()""",
        rest=_JSON
        + """\
try:
    with urlopen(call) as answer:
        created = json.load(answer)["apikey"]
        print(created["key"], created["expiresAt"])
except HTTPError as error:
    print(json.load(error)["message"])""",
    ),
    "rotate": _CALL.format(
        imports=_OPEN,
        request="""\
f"{url}/api/apikeys/{key}/rotate/key", json.dumps({"overlap": 3600}).encode()""",
        rest=_JSON
        + """\
with urlopen(call) as answer:
    rotated = json.load(answer)
    print(rotated["apikey"]["key"], "replaces", rotated["replaces"])""",
    ),
    "revoke": _CALL.format(
        imports=_OPEN,
        request='f"{url}/api/apikeys/{key}/key", method="DELETE"',
        rest="""\
with urlopen(call) as answer:
    print(answer.status)""",
    ).replace("import json, os", "import os"),
    "introspect": _CALL.format(
        imports="from urllib.parse import urlencode\n" + _OPEN,
        request="""\
url + "/api/introspect", urlencode({"token": os.environ["VISITOR_SECRET"]}).encode()""",
        rest="""\
with urlopen(call) as answer:
    visitor = json.load(answer)
    print(visitor["active"], visitor.get("username"))""",
    ),
    "client": """\
import os
from chatelaine_client import Portal

names = ("CHATELAINE_URL", "CHATELAINE_KEY", "CHATELAINE_SECRET")
portal = Portal(*(os.environ[name] for name in names))
visitor = portal.check(os.environ["VISITOR_SECRET"], level=3)
print(visitor.username)""",
}
