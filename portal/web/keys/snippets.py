"""How a new key is used, in lines to copy; the secret stands in the lines of the .env file only."""

from __future__ import annotations

from typing import NamedTuple

from flask_babel import gettext

from portal.models import ApiKey, KeyKind

CURL = "curl -u {id} {rest}"
PYTHON = """import os
import requests

key = os.environ["CHATELAINE_KEY"], os.environ["CHATELAINE_SECRET"]
answer = requests.{call}, auth=key)
print(answer.status_code, answer.json())"""
ENV = """CHATELAINE_URL={url}
CHATELAINE_KEY={id}
CHATELAINE_SECRET={secret}"""
GITHUB = """gh variable set CHATELAINE_KEY --body {id}
gh secret set CHATELAINE_SECRET

# in the workflow
env:
  CHATELAINE_KEY: ${{{{ vars.CHATELAINE_KEY }}}}
  CHATELAINE_SECRET: ${{{{ secrets.CHATELAINE_SECRET }}}}"""
DOCKER = """read -rsp "Secret: " SECRET
printf %s "$SECRET" | docker secret create chatelaine_secret -
unset SECRET"""
KUBERNETES = """read -rsp "Secret: " SECRET
printf %s "$SECRET" | kubectl create secret generic chatelaine \\
  --from-literal=key={id} --from-file=secret=/dev/stdin
unset SECRET"""


class Snippet(NamedTuple):
    """A tab: the id of its lines, its name, the lines, and what to know of them."""

    id: str
    label: str
    lines: str
    note: str


def snippets(key: ApiKey, secret: str, url: str) -> list[Snippet]:
    """The tabs of the page that shows a secret."""
    rest = f"\\\n{url}/api/whoami/key"
    call = f'get("{url}/api/whoami/key"'
    if key.kind is KeyKind.SERVICE:
        rest = f"\\\n--data token=… {url}/api/introspect"
        call = f'post("{url}/api/introspect", data={{"token": "…"}}'
    fill = {"id": key.id, "url": url, "secret": secret, "rest": rest, "call": call}
    reads = gettext("Reads the id and the secret from the environment.")
    holds = gettext("Holds the secret: keep it out of Git.")
    asked = gettext("It asks for the secret: paste it. So it stays out of your shell's history.")
    return [
        Snippet("curl", "curl", CURL.format(**fill), asked),
        Snippet("python", "Python", PYTHON.format(**fill), reads),
        Snippet("env", gettext(".env file"), ENV.format(**fill), holds),
        Snippet("github", "GitHub Actions", GITHUB.format(**fill), asked),
        Snippet("docker", "Docker", DOCKER.format(**fill), asked),
        Snippet("kubernetes", "Kubernetes", KUBERNETES.format(**fill), asked),
    ]
