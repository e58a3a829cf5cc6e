from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from config import load_settings
from config_values import ConfigurationError
from portal.transports import (
    DeliveryFailed,
    FileTransport,
    SmtpTransport,
    create_transport,
    describe,
    links_of,
)
from tests.support.outbox import Receiver, mail_server
from tests.support.ports import free_port
from tests.support.settings import settings_for

TLS = Path(__file__).parent / "support" / "tls"
USER, PASSWORD = "portal@example.org", "p@ss:word/1"
URL_USER, URL_PASSWORD = "portal%40example.org", "p%40ss%3Aword%2F1"


def message(subject: str = "Hello") -> EmailMessage:
    created = EmailMessage()
    created["From"], created["To"], created["Subject"] = "portal@example.org", "alice@example.org", subject
    created.set_content("Good day.\n")
    return created


def transport(tmp_path: Path, url: str) -> Any:
    return create_transport(load_settings(settings_for("sqlite:///db", tmp_path, PORTAL_MAIL_URL=url)))


def accepting(_server: object, _session: object, _envelope: object, _how: str, given: Any) -> AuthResult:
    known = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=known, handled=False)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    return context


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS / "cert.pem"))


def test_a_file_is_whole_private_and_overwritten_by_the_next_attempt(tmp_path: Path) -> None:
    out = FileTransport(tmp_path / "mail")

    out.deliver(message("first"), "7-reset")
    out.deliver(message("second"), "7-reset")

    files = list((tmp_path / "mail").iterdir())
    assert [file.name for file in files] == ["7-reset.eml"]
    assert b"Subject: second\n" in files[0].read_bytes()
    assert files[0].stat().st_mode & 0o777 == 0o600
    assert files[0].parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_can_not_be_written_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("portal.transports.os.fsync", full)

    with pytest.raises(DeliveryFailed, match="No space left on device"):
        FileTransport(tmp_path).deliver(message(), "7-reset")

    assert list(tmp_path.iterdir()) == []


def test_mails_are_files_in_the_instance_folder_unless_set(tmp_path: Path) -> None:
    assert transport(tmp_path, "file:") == FileTransport(tmp_path / "mail")
    assert transport(tmp_path, "file:/var/spool/portal") == FileTransport(Path("/var/spool/portal"))


def test_a_mail_goes_through_a_plain_server(tmp_path: Path, receiver: Receiver) -> None:
    with mail_server(receiver) as port:
        transport(tmp_path, f"smtp://127.0.0.1:{port}").deliver(message(), "7-reset")

    assert [str(each["Subject"]) for each in receiver.messages] == ["Hello"]


@pytest.mark.usefixtures("trusted")
def test_tls_is_used_where_it_is_offered_and_carries_the_password(
    tmp_path: Path, receiver: Receiver, tls: ssl.SSLContext
) -> None:
    options = {
        "tls_context": tls,
        "authenticator": accepting,
        "auth_required": True,
        "require_starttls": True,
    }
    with mail_server(receiver, **options) as port:
        url = f"smtp://{URL_USER}:{URL_PASSWORD}@localhost:{port}"
        transport(tmp_path, url).deliver(message(), "7-reset")

    assert len(receiver.messages) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, receiver: Receiver, tls: ssl.SSLContext
) -> None:
    with mail_server(receiver, tls_context=tls) as port, pytest.raises(DeliveryFailed, match="TLS failed"):
        transport(tmp_path, f"smtp://localhost:{port}").deliver(message(), "7-reset")

    assert receiver.messages == []


@pytest.mark.parametrize(
    ("certificate", "trusted_file", "words"),
    [
        ("cert", "", "TLS failed: CERTIFICATE_VERIFY_FAILED: self-signed certificate"),
        (
            "keys.example.org",
            "keys.example.org.pem",
            "TLS failed: CERTIFICATE_VERIFY_FAILED: Hostname mismatch",
        ),
        ("", "", "TLS failed: WRONG_VERSION_NUMBER"),
    ],
)
def test_what_openssl_says_is_told(
    tmp_path: Path, receiver: Receiver, certificate: str, trusted_file: str, words: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        key = "key.pem" if certificate == "cert" else f"{certificate}.key.pem"
        context.load_cert_chain(TLS / f"{certificate}.pem", TLS / key)
    with mail_server(receiver, **({"tls_context": context} if certificate else {})) as port:
        out = SmtpTransport(
            "localhost",
            port,
            "localhost",
            implicit_tls=not certificate,
            authorities=(TLS / trusted_file).read_text() if trusted_file else "",
        )
        with pytest.raises(DeliveryFailed) as caught:
            out.deliver(message(), "7-reset")

    assert str(caught.value).startswith(words)


def test_the_certificates_of_a_file_are_trusted(
    tmp_path: Path, receiver: Receiver, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TLS)
    for scheme, options in (("smtp", {"tls_context": tls}), ("smtps", {"ssl_context": tls})):
        with mail_server(receiver, **options) as port:
            url = f"{scheme}://localhost:{port}"
            created = settings_for(
                "sqlite:///db", tmp_path, PORTAL_MAIL_URL=url, PORTAL_MAIL_CA_FILE="cert.pem"
            )
            create_transport(load_settings(created)).deliver(message(), "7-reset")

    assert len(receiver.messages) == 2


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("queued as 4Bh1x72ZqPz3mNQ9aaZZkXvT0", "queued as 4Bh1x72ZqPz3mNQ9aaZZkXvT0"),
        ("NO_SHARED_CIPHER_OR_SIGNATURE_ALGORITHM", "NO_SHARED_CIPHER_OR_SIGNATURE_ALGORITHM"),
        ("wrong: hush", "wrong: …"),
        ("hushed", "hushed"),
        ("AHBvcnRhbABodXNo is wrong", "… is wrong"),
        ("see https://mx.example/why?id=1", "see …"),
        ("token OVedxSmnSsj_axQzJYd0Ry2VJJYyvjrD0j4i96XupNw", "token …"),
        ("you sent Short_token-of-a-link", "you sent …"),
        ("to alice@example.org", "to …"),
    ],
)
def test_what_is_secret_is_hidden_and_nothing_else(said: str, told: str) -> None:
    out = SmtpTransport("localhost", 25, "localhost", user="portal", password="hush")
    error = smtplib.SMTPResponseException(554, said.encode())

    described = describe(error, [*out._secrets(), "Short_token-of-a-link"])

    assert described == f"The server answered 554: {told}"


def test_the_tokens_of_a_message_are_known() -> None:
    created = message()
    token = "OVedxSmnSsj_axQzJYd0Ry2VJJYyvjrD0j4i96XupNw"
    created.set_content(f"Open http://127.0.0.1:8000/confirm/{token} soon.\nAnd http://127.0.0.1:8000/docs\n")

    assert links_of(created) == [token]


def test_the_password_stays_at_home_without_tls(tmp_path: Path, receiver: Receiver) -> None:
    options = {"authenticator": accepting, "auth_require_tls": False}
    with mail_server(receiver, **options) as port, pytest.raises(DeliveryFailed, match="no TLS"):
        transport(tmp_path, f"smtp://{URL_USER}:{URL_PASSWORD}@127.0.0.1:{port}").deliver(message(), "x")

    assert receiver.messages == []


@pytest.mark.parametrize(
    ("url", "clear_text", "allowed"),
    [
        ("smtp://mail.example", "false", False),
        ("smtp://mail.example", "true", True),
        ("smtp://10.0.0.7:25", "false", False),
        ("smtp://127.0.0.1", "false", True),
        ("smtp://localhost", "false", True),
        ("smtp://[::1]:25", "false", True),
    ],
)
def test_only_this_machine_gets_mails_in_the_clear_unless_the_operator_says_so(
    tmp_path: Path, url: str, clear_text: str, allowed: bool
) -> None:
    created = settings_for("sqlite:///db", tmp_path, PORTAL_MAIL_URL=url, PORTAL_MAIL_CLEAR_TEXT=clear_text)
    found = create_transport(load_settings(created))

    assert isinstance(found, SmtpTransport)
    assert found.clear_text is allowed


def test_a_mail_stays_at_home_when_a_server_offers_no_tls(receiver: Receiver) -> None:
    with mail_server(receiver) as port, pytest.raises(DeliveryFailed, match="no TLS"):
        SmtpTransport("127.0.0.1", port, "localhost").deliver(message(), "7-reset")

    assert receiver.messages == []


@pytest.mark.usefixtures("trusted")
def test_a_wrong_password_is_told_without_showing_it(
    tmp_path: Path, receiver: Receiver, tls: ssl.SSLContext
) -> None:
    with (
        mail_server(receiver, tls_context=tls, authenticator=accepting) as port,
        pytest.raises(DeliveryFailed, match="answered 535") as caught,
    ):
        transport(tmp_path, f"smtp://{URL_USER}:guess@localhost:{port}").deliver(message(), "x")

    assert "guess" not in str(caught.value)


@pytest.mark.usefixtures("trusted")
def test_smtps_is_encrypted_from_the_first_byte(
    tmp_path: Path, receiver: Receiver, tls: ssl.SSLContext
) -> None:
    with mail_server(receiver, ssl_context=tls) as port:
        transport(tmp_path, f"smtps://localhost:{port}").deliver(message(), "7-reset")

    assert len(receiver.messages) == 1


def test_a_server_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeliveryFailed, match="can't be reached: Connection refused"):
        transport(tmp_path, f"smtp://127.0.0.1:{free_port()}").deliver(message(), "7-reset")


def test_a_server_that_says_nothing_is_left_after_a_while(receiver: Receiver) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:
        out = SmtpTransport("127.0.0.1", mute.getsockname()[1], "localhost", timeout=0.2)
        with pytest.raises(DeliveryFailed, match="can't be reached"):
            out.deliver(message(), "7-reset")


def test_a_refusal_is_told_without_address_and_token(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = (
        "554 spam for alice@example.org: http://127.0.0.1/confirm/abc and "
        "OVedxSmnSsj_axQzJYd0Ry2VJJYyvjrD0j4i96XupNw"
    )
    with mail_server(receiver) as port, pytest.raises(DeliveryFailed) as caught:
        transport(tmp_path, f"smtp://127.0.0.1:{port}").deliver(message(), "7-reset")

    assert str(caught.value) == "The server answered 554: spam for … … and …"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            smtplib.SMTPRecipientsRefused({"a@example.org": (550, b"no\x1b[31m\r\nsuch user")}),
            "550 no [31m such user",
        ),
        (smtplib.SMTPServerDisconnected("Connection unexpectedly closed"), "SMTPServerDisconnected"),
        (TimeoutError(), "TimeoutError"),
        (ssl.SSLError(), "no reason given"),
    ],
)
def test_what_went_wrong_is_one_plain_line(error: Exception, words: str) -> None:
    said = describe(error)

    assert words in said
    assert said.isprintable()
    assert "example.org" not in said


@pytest.mark.parametrize(
    "url",
    [
        "smtp:",
        "smtp://",
        "http://example.org",
        "smtp://example.org:x",
        "smtp://example.org:0",
        "smtp://u:%C3%B6@mx",
    ],
)
def test_a_mail_url_that_can_not_be_used_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match="PORTAL_MAIL_URL"):
        transport(tmp_path, url)


@pytest.mark.parametrize(
    ("url", "port"),
    [("smtp://mx", 25), ("smtp://u:p@mx", 587), ("smtps://u:p@mx", 465), ("smtp://u:p@mx:2525", 2525)],
)
def test_ports_are_the_usual_ones_unless_given(tmp_path: Path, url: str, port: int) -> None:
    assert transport(tmp_path, url).port == port


def test_a_transport_does_not_show_its_password(tmp_path: Path) -> None:
    assert "p@ss" not in repr(transport(tmp_path, f"smtp://u:{URL_PASSWORD}@mx"))


@pytest.mark.parametrize(
    ("base_url", "greeting"),
    [
        ("http://127.0.0.1:8000", "[127.0.0.1]"),
        ("http://[::1]:8000", "[IPv6:::1]"),
        ("https://keys.example.org", "keys.example.org"),
    ],
)
def test_it_greets_with_the_name_of_the_portal(tmp_path: Path, base_url: str, greeting: str) -> None:
    settings = settings_for("sqlite:///db", tmp_path, PORTAL_MAIL_URL="smtp://mx", PORTAL_BASE_URL=base_url)
    created = create_transport(load_settings(settings))

    assert isinstance(created, SmtpTransport)
    assert created.greeting == greeting


@pytest.mark.parametrize("sender", ["Chatelaine <chatelaine@localhost>", "keys@example.org"])
def test_a_sender_is_an_address(tmp_path: Path, sender: str) -> None:
    settings = settings_for("sqlite:///db", tmp_path, PORTAL_MAIL_FROM=sender)

    assert create_transport(load_settings(settings)) == FileTransport(tmp_path / "mail")


@pytest.mark.parametrize("sender", ["Chatelaine", "a@b\r\nBcc: x@y", "@"])
def test_what_is_no_address_is_no_sender(tmp_path: Path, sender: str) -> None:
    settings = settings_for("sqlite:///db", tmp_path, PORTAL_MAIL_FROM=sender)

    with pytest.raises(ConfigurationError, match="PORTAL_MAIL_FROM"):
        create_transport(load_settings(settings))
