"""A setting that can't be used is told in one sentence that names it, whatever is wrong with it."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from config import Settings, load_settings, unknown_names, variables
from config_addresses import in_url
from config_values import ConfigurationError, keep_secret, random_text
from portal.services.calls.library_store import LibraryStore
from portal.transports import create_transport
from tests.conftest import MakeApp
from tests.support.settings import PEPPERS, SECRET_KEY

USELESS = {
    "BASE_URL": (
        "keys.example.org",
        "http://[::1",
        "http://localhost:port",
        "http://localhost:99999",
        "http://localhost:0",
        "http://local host",
        "https://schlüssel.example",
        "http://localhost/a b",
        "http://localhost/../x",
        "http://localhost//x",
        "http://localhost/%2e",
        "http://localhost/kéys",
    ),
    "DATABASE_URL": (
        "mysql://portal@localhost/portal",
        "postgres://portal@localhost/portal",
        "postgresql://portal@localhost/portal",
        "postgresql+psycopg://portal@localhost:port/portal",
        "portal.db",
        "sqlite:///portal.db?mode=ro",
        "sqlite:///file:portal.db?uri=true",
        "sqlite://me:hush@host/portal.db",
        "sqlite://",
        "sqlite:///:memory:",
    ),
    "HOST": ("keys.example.org", "127.0.0.1:8000", "fe80::1%eth0", "[::1", "*", "localhost."),
    "PORT": ("http", "0", "65536", "-1", "9" * 5000, "８０００", "tcp://10.0.0.1:8000"),
    "MAIL_URL": (
        "smtp://u:p[ss@mail.example.org",
        "smtp://u:p/ss@mail.example.org",
        "smtp://mail.example.org:port",
        "smtp://mail.example.org:99999",
        "smtp://",
        "http://mail.example.org",
        "mail.example.org",
    ),
    "MAIL_CA": ("/etc/ssl/ca.pem", "-----BEGIN CERTIFICATE-----", "ключ", "x\ny"),
    "GITHUB_KEYS": ("https://[x", "http://keys.example.org/x", "no such file", "ftp://x"),
    "LIMITS_STORE": ("redis", "nothing://x", "memory://", "redis://[x", "redis://localhost:port"),
    "NAME": ("x" * 41, "---", "a\tb"),
    "SUPPORT_CONTACT": (
        "the people",
        "javascript:alert(1)",
        "http://help.example.org",
        "https://user@help.example.org",
        'https://help.example.org/"x',
        "help@example.org\nBcc: x",
    ),
    "MAIL_FROM": ("nobody", "@", "a@", "Name <>"),
    "CORS_ORIGINS": (
        "*",
        "null",
        "app.example.org",
        "https://",
        "https://*.example.org",
        "https://app.example.org/path",
        "https://app.example.org?x",
        "https://u@app.example.org",
        "https://bücher.example",
        "http://app.example",
        "https://app.example.org, *",
        "https://app.example.org:port",
        "https://[x",
        "file://",
        "//app.example",
    ),
    "KEY_PREFIX": ("_", "CHK", "ch-k", "x" * 17, "ключ"),
    "PEPPERS": ("p1", "p1:short", "p1:" + "a" * 40, ",", "p 1:" + "x" * 40),
    "WORKERS": ("0", "257", "two", "1.5"),
    "SECURITY_CONTACT": ("security@example.org", "mailto:a@example.org\r\nExpires: never", "javascript:x"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in USELESS for value in USELESS[name]])
def test_what_cannot_be_used_is_told(tmp_path: Path, name: str, value: str) -> None:
    refusal = refused(tmp_path, **{f"PORTAL_{name}": value})

    assert "p[ss" not in refusal
    assert "p/ss" not in refusal
    assert f"PORTAL_{name}" in refusal
    assert "\n" not in refusal


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00" * 20)

    assert "PORTAL_SECRET_KEY_FILE" in refused(tmp_path, PORTAL_SECRET_KEY_FILE=str(tmp_path / "key"))


def test_an_instance_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken" / "secret_key").mkdir(parents=True)

    for place in ("file", "file/below", "taken"):
        assert "PORTAL_INSTANCE_PATH" in refused(tmp_path, PORTAL_INSTANCE_PATH=str(tmp_path / place))


def test_a_base_url_is_the_same_in_any_letters(tmp_path: Path) -> None:
    settings = load_settings(
        {"PORTAL_INSTANCE_PATH": str(tmp_path), "PORTAL_BASE_URL": "HTTP://LocalHost:80/"}
    )

    assert settings.base_url == "http://localhost:80"


def test_a_path_of_the_base_url_stays_as_it_is_written(tmp_path: Path) -> None:
    home = {"PORTAL_INSTANCE_PATH": str(tmp_path)}
    settings = load_settings({**home, "PORTAL_BASE_URL": "HTTP://LocalHost:80/Keys/v1/"})

    assert settings.base_url == "http://localhost:80/Keys/v1"
    assert (settings.origin, settings.path) == ("http://localhost:80", "/Keys/v1")
    assert load_settings({**home, "PORTAL_BASE_URL": "http://localhost/"}).path == ""


NAMES = sorted(variables())
PIECES = st.sampled_from(
    [
        "", " ", "0", "-1", "9" * 5000, "true", "http", "https", "://", "[", "]", "::1", "127.0.0.1",
        "0.0.0.0", "::ffff:10.0.0.0/108", "localhost", "/", "//", "?", "#", "@", ":", ",", "=", "%", "%zz",
        "..", "\\", "user", "admin=", "sqlite:///", "postgresql+psycopg://", "smtp://", "file:", "redis://",
        "memory://", "bücher", "\ud800", "\n", "\x7f", "\x1b[31m", "\u202e", "٣", "p1:", "x" * 300,
        "tcp://10.0.0.1:80", "mailto:", "<", ">",
    ]
)  # fmt: skip
VALUES = st.lists(PIECES, min_size=1, max_size=5).map("".join)


@trying(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(NAMES),
    value=st.lists(PIECES, min_size=1, max_size=5).map("".join),
    public=st.booleans(),
)
def test_whatever_a_setting_is_the_start_is_good_or_refused_in_one_sentence(
    tmp_path: Path, name: str, value: str, public: bool
) -> None:
    """No value ends in a traceback, and none is shown where it may be a secret."""
    given_by_all = {
        "PORTAL_SECRET_KEY": SECRET_KEY,
        "PORTAL_PEPPERS": PEPPERS,
        "PORTAL_BASE_URL": "https://keys.example.org" if public else "",
        "PORTAL_INSTANCE_PATH": str(tmp_path / "instance"),
    }
    if name == "PORTAL_INSTANCE_PATH":
        value = str(tmp_path / "instance" / value.replace("/", "").replace("..", ""))
    told = ""
    try:
        start({**given_by_all, name: value})
    except ConfigurationError as error:
        told = str(error)
    assert not told or ("PORTAL_" in told and told.isprintable())


def test_a_variable_that_is_empty_is_one_that_was_not_set(tmp_path: Path) -> None:
    kept = tmp_path / "key"
    kept.write_text(SECRET_KEY + "\n")
    home = {"PORTAL_INSTANCE_PATH": str(tmp_path / "instance")}
    empty = {name: " " for name in NAMES if name not in home}

    found = load_settings({**home, **empty, "PORTAL_SECRET_KEY_FILE": str(kept)})
    assert found.secret_key.get_secret_value() == SECRET_KEY
    assert load_settings({**home, **empty, "PORTAL_SECRET_KEY_FILE": ""}).port == 8000
    kept.write_text("\n")
    assert "PORTAL_SECRET_KEY_FILE" in refused(tmp_path, PORTAL_SECRET_KEY_FILE=str(kept))


UNKNOWN = {
    "PORTAL_DATABASE_URI": "PORTAL_DATABASE_URL",
    "PORTAL_BASEURL": "PORTAL_BASE_URL",
    "PORTAL_SECRET_KEY_FILES": "PORTAL_SECRET_KEY_FILE",
    "PORTAL_PEPPER": "PORTAL_PEPPERS",
    "PORTAL_COLOUR_OF_THE_SKY": "",
}


def test_names_that_nothing_reads_are_told_with_what_is_meant(
    make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unknown_names({**dict.fromkeys(UNKNOWN, "x"), "PORTAL_PORT": "1", "HOME": "/"}) == UNKNOWN

    make_app(PORTAL_BASEURL="https://keys.example.org")

    told = capsys.readouterr().err
    assert "setting.unknown" in told
    assert "PORTAL_BASE_URL?" in told


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost", "http://127.0.0.1:8000"),
        ("127.0.0.2", "http://127.0.0.2:8000"),
        ("::1", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:8000"),
    ],
)
def test_the_portal_says_that_it_is_where_it_listens(tmp_path: Path, host: str, url: str) -> None:
    found = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path), "PORTAL_HOST": host})

    assert found.base_url == url
    assert f"//{in_url(found.host)}:" in url


HEADERS = {
    "X-Forwarded-For": True,
    "Visitor7d02f9e4b6a8": True,
    "0123456789abcdef": True,
    "": False,
    "Visitor7d02f9e4": False,
    "x-forwarded-for": False,
    "X_Forwarded_For": False,
    "XForwardedFor": False,
    "Forwarded": False,
    "X-Real-IP": False,
    "Visitor-7d02f9e4b6a8": False,
    "Visitor_7d02f9e4b6a8": False,
    "Visitor.7d02f9e4b6a8": False,
    "Visitor 7d02f9e4b6a8": False,
    "Visitör7d02f9e4b6a8": False,
    "Visitor7d02f9e4b6a8,X-Forwarded-For": False,
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_proxy_tells_the_address_in_a_header_that_no_visitor_can_write(tmp_path: Path, header: str) -> None:
    changes = {"PORTAL_TRUSTED_PROXIES": "127.0.0.1/32", "PORTAL_PROXY_HEADER": header}

    if HEADERS[header]:
        settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path), **changes})
        assert settings.proxy_header == header
    else:
        assert "PORTAL_PROXY_HEADER" in refused(tmp_path, **changes)


def test_a_trusted_proxy_without_its_header_is_refused_with_what_to_write(tmp_path: Path) -> None:
    told = [refused(tmp_path, PORTAL_TRUSTED_PROXIES="127.0.0.1/32, ::1/128") for _ in range(2)]

    assert told[0].startswith("PORTAL_TRUSTED_PROXIES needs PORTAL_PROXY_HEADER")
    assert all(word in told[0] for word in ("X-Forwarded-For", "deploy/nginx.conf", "docs/operations.md"))
    names = {name for each in told for name in re.findall(r"\bVisitor[0-9a-f]{12}\b", each)}
    assert len(names) == 2, "an example that all take would be no secret"


def test_a_header_without_trusted_proxies_is_refused(tmp_path: Path) -> None:
    for proxies in ("", " ", ","):
        told = refused(tmp_path, PORTAL_PROXY_HEADER="X-Forwarded-For", PORTAL_TRUSTED_PROXIES=proxies)
        assert "PORTAL_TRUSTED_PROXIES" in told


TRUSTED = {
    "0.0.0.0/0": False,
    "::/0": False,
    "0.0.0.0/1, 128.0.0.0/1": False,
    "127.0.0.1/32, 128.0.0.0/1": False,
    "::ffff:0:0/96": False,
    "2000::/3": False,
    ", ".join(f"{number}.0.0.0/8" for number in range(256)): False,
    "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 127.0.0.0/8, ::1/128": True,
    "fc00::/7, fe80::/10": True,
    "104.16.0.0/13, 2400:cb00::/32": True,
}


@pytest.mark.parametrize("proxies", TRUSTED)
@pytest.mark.parametrize("header", ["X-Forwarded-For", "Visitor7d02f9e4b6a8"])
def test_no_start_trusts_everybody_to_be_a_proxy(tmp_path: Path, proxies: str, header: str) -> None:
    changes = {"PORTAL_TRUSTED_PROXIES": proxies, "PORTAL_PROXY_HEADER": header}
    if TRUSTED[proxies]:
        assert load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path), **changes}).trusted_proxies
    else:
        assert refused(tmp_path, **changes).startswith("PORTAL_TRUSTED_PROXIES trusts ")


def refused(home: Path, **changes: str) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        start({"PORTAL_INSTANCE_PATH": str(home / "instance"), **changes})
    return str(refusal.value)


def start(changes: dict[str, str]) -> Settings:
    """Read the settings, and what reads one of them for itself at the start."""
    settings = load_settings(changes)
    create_transport(settings)
    if settings.limits_store:
        LibraryStore(settings.limits_store.get_secret_value())
    return settings


def test_a_secret_that_is_kept_is_read_by_nobody_else(tmp_path: Path) -> None:
    kept = tmp_path / "kept"

    first = keep_secret(kept, random_text)

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert keep_secret(kept, random_text) == first
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("url", ["sqlite:///rel.db", "sqlite:///below/../rel.db", "sqlite:////{home}/rel.db"])
def test_a_file_of_sqlite_is_the_same_wherever_the_portal_is_started(tmp_path: Path, url: str) -> None:
    home = tmp_path / "instance"
    named = url.format(home=str(home).lstrip("/"))
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(home), "PORTAL_DATABASE_URL": named})

    found = settings.database_url.get_secret_value()
    assert Path(found.removeprefix("sqlite:///")).resolve() == home / "rel.db"
    assert Path(found.removeprefix("sqlite:///")).is_absolute()


def test_networks_are_read_as_addresses_are_seen(tmp_path: Path) -> None:
    proxies = "::ffff:172.16.0.0/108, ::ffff:10.1.2.3/128, 2001:db8::/32, 127.0.0.1"
    changes = {"PORTAL_TRUSTED_PROXIES": proxies, "PORTAL_PROXY_HEADER": "X-Forwarded-For"}
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path), **changes})

    told = [str(network) for network in settings.trusted_proxies]
    assert told == ["172.16.0.0/12", "10.1.2.3/32", "2001:db8::/32", "127.0.0.1/32"]


def test_lists_and_the_secret_key_may_have_several_lines(tmp_path: Path) -> None:
    """As files hold them: what was taken before is taken still, and signs as it did."""
    kept = tmp_path / "kept"
    kept.write_text(f"p1:{SECRET_KEY},\n  p2:{SECRET_KEY}x\n")
    found = load_settings(
        {
            "PORTAL_INSTANCE_PATH": str(tmp_path / "instance"),
            "PORTAL_PEPPERS_FILE": str(kept),
            "PORTAL_SECRET_KEY": f"{SECRET_KEY}\n{SECRET_KEY}",
            "PORTAL_TRUSTED_PROXIES": "127.0.0.1/32,\r\n\t10.0.0.0/8",
            "PORTAL_PROXY_HEADER": "X-Forwarded-For",
        }
    )

    assert list(found.peppers.get_secret_value()) == ["p1", "p2"]
    assert found.secret_key.get_secret_value() == f"{SECRET_KEY}\n{SECRET_KEY}"
    assert len(found.trusted_proxies) == 2


@pytest.mark.parametrize("folder", ["with?mark", "with#mark", "with%20mark", "with blank", "ß"])
def test_a_folder_may_be_called_anything(tmp_path: Path, folder: str) -> None:
    found = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path / folder)})

    assert make_url(found.database_url.get_secret_value()).database == str(tmp_path / folder / "portal.db")
