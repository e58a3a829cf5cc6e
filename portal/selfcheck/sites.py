"""Other sites: none acts for somebody here, and the portal answers by no other name."""

from __future__ import annotations

from portal.selfcheck.answers import hold
from portal.selfcheck.forms import fields_of, own_site
from portal.selfcheck.stage import Stage

EVIL = "https://evil.example"
PUBLIC = "keys.example.org"
FOREIGN = (
    "evil.example",
    f"{PUBLIC}.evil.example",
    f"{PUBLIC}:444",
    f"{PUBLIC}:",
    f"{PUBLIC}/.evil.example",
    f"{PUBLIC}#.evil.example",
    f"evil.example@{PUBLIC}",
)
"""What is no name of a portal that is called ``PUBLIC``."""


def forged_forms(stage: Stage) -> None:
    """Send forms without their token, with that of another session, and from another site."""
    owner, client = stage.person(), stage.client()
    own = own_site(stage)
    shown = stage.call("GET", "/signin", client=client)
    foreign = fields_of(stage.call("GET", "/signin", client=stage.client()).text)
    known = {"username": owner.email, "password": owner.password}
    good = fields_of(shown.text) | known
    for name, form, headers, refusals in (
        ("without its token", known, own, {400}),
        ("with the token of another session", foreign | known, own, {422}),  # it is asked once more
        ("from another site, by Sec-Fetch-Site", good, {"Sec-Fetch-Site": "cross-site"}, {400, 403}),
        ("from another site, by Origin", good, {"Origin": EVIL}, {400, 403}),
        ("from another site, by Referer", good, {"Referer": f"{EVIL}/signin"}, {400, 403}),
        ("from a site without a name", good, {"Origin": "null"}, {400, 403}),
    ):
        answer = stage.call("POST", "/signin", client=client, data=form, headers=headers)
        hold(answer.status_code in refusals, f"a form {name} was answered with {answer.status_code}")
        inside = stage.call("GET", "/account/keys", client=client)
        hold(inside.status_code == 302, f"a form {name} signed somebody in")
    hold(
        "frame-ancestors 'none'" in shown.headers["Content-Security-Policy"], "another site may frame a page"
    )
    answer = stage.call("POST", "/signin", client=client, data=good, headers=own)
    hold(answer.status_code in {302, 303}, f"a good form was answered with {answer.status_code}")
    cookies = answer.headers.getlist("Set-Cookie")
    hold(cookies and all("SameSite=" in each for each in cookies), "other sites send the cookie along")


def other_hosts(stage: Stage) -> None:
    """Ask for pages under another name, in each header that could carry one."""
    for path in ("/", "/signin", "/password/forgot", "/api/openapi.json"):
        answer = stage.call("GET", path, base_url=EVIL)
        hold(answer.status_code == 400, f"{path} was served to another host")
    for name in ("X-Forwarded-Host", "X-Host", "Forwarded"):
        value = "host=evil.example" if name == "Forwarded" else "evil.example"
        answer = stage.call("GET", "/", headers={name: value})
        hold("evil.example" not in answer.text, f"a page believed {name}")
    public = stage.scratch.other(PORTAL_BASE_URL=f"https://{PUBLIC}").test_client()
    for host in (PUBLIC, *FOREIGN):
        status = stage.call("GET", "/signin", client=public, headers={"Host": host}).status_code
        hold((status == 200) == (host == PUBLIC), f"{host} was answered with {status}")


CHECKS = {"forged-forms": forged_forms, "other-hosts": other_hosts}
