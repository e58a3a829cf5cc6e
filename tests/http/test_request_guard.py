"""What no view should see is refused before it (rows 18, 24, 35 and 41)."""

from __future__ import annotations

import pytest

from config import load_settings
from portal.http import request_guard
from portal.http.request_guard import is_own_authority
from tests.http.conftest import Guard

PUBLIC = "https://keys.example"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("keys.example", 200),
        ("KEYS.example", 200),
        ("keys.example:443", 200),
        ("keys.example:80", 400),
        ("keys.example:8443", 400),
        ("keys.example:", 400),
        ("keys.example.evil.example", 400),
        ("evil.example", 400),
        ("keys.example,evil.example", 400),
        ("keys.example evil.example", 400),
        ("keys.example@evil.example", 400),
        ("user@keys.example", 400),
        ("keys.example/", 400),
        ("keys.example#", 400),
        ("keys.example\\", 400),
        ("[::1", 400),
        ("keys.example:port", 400),
        ("keys.example:99999", 400),
        ("localhost", 400),
        ("127.0.0.1", 400),
        ("", 400),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/thing", "/static/app.css"])
def test_only_the_host_of_the_base_url_is_served(guard: Guard, host: str, status: int, path: str) -> None:
    client = guard(PORTAL_BASE_URL=PUBLIC).test_client()

    assert client.get(path, headers={"Host": host}, buffered=True).status_code == status


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("localhost:8000", True),
        ("127.0.0.1:1234", True),
        ("[::1]:8000", True),
        ("127.0.0.1.evil.example", False),
        ("evil.example", False),
        ("localhost.evil.example:8000", False),
    ],
)
def test_on_this_machine_its_names_are_served_and_no_other(
    host: str, own: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = load_settings({"PORTAL_INSTANCE_PATH": str(tmp_path_factory.mktemp("instance"))})

    assert is_own_authority(host, settings) is own


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "evil.example", ""])
def test_probes_may_come_by_any_name(guard: Guard, host: str) -> None:
    client = guard(PORTAL_BASE_URL=PUBLIC).test_client()

    assert client.get("/healthz", headers={"Host": host}).status_code == 200
    assert client.get("/healthz/x", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Origin": "https://keys.example"}, 200),
        ({"Origin": "https://keys.example:443"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://keys.example.evil.example"}, 403),
        ({"Origin": "ftp://keys.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "http://keys.example"}, 403),
        ({"Referer": "https://keys.example/signin"}, 200),
        ({"Referer": "https://keys.example"}, 200),
        ({"Referer": "https://keys.example:443/signin"}, 200),
        ({"Referer": ""}, 200),
        ({"Referer": "http://keys.example/signin"}, 403),
        ({"Referer": "https://evil.example/https://keys.example/"}, 403),
        ({"Referer": "https://keys.example.evil.example/"}, 403),
        ({"Referer": "https://keys.example@evil.example/"}, 403),
        ({"Referer": "https://keys.example\\@evil.example/"}, 403),
        ({"Referer": "nonsense"}, 403),
        ({"Referer": "https://evil.example/", "Origin": "https://keys.example"}, 403),
        ({"Referer": "https://evil.example/", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Referer": "https://keys.example/", "Origin": "https://evil.example"}, 403),
    ],
)
def test_what_another_site_sends_is_refused(guard: Guard, headers: dict[str, str], status: int) -> None:
    client = guard(PORTAL_BASE_URL=PUBLIC).test_client()

    response = client.post("/act", base_url=PUBLIC, headers=headers)

    assert response.status_code == status
    assert ("Another site" in response.text) is (status == 403)


def test_links_from_another_site_and_the_api_stay_open(guard: Guard) -> None:
    client = guard().test_client()
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}

    assert client.get("/", headers=foreign).status_code == 200
    assert client.post("/api/thing", headers=foreign).status_code == 200


def test_a_body_may_be_so_large_and_no_larger(guard: Guard) -> None:
    client = guard().test_client()

    assert client.post("/api/thing", data=b"x" * request_guard.LARGEST_BODY).status_code == 200
    assert client.post("/api/thing", data=b"x" * (request_guard.LARGEST_BODY + 1)).status_code == 413
    assert client.post("/act", data={"name": "x" * request_guard.LARGEST_BODY}).status_code == 413
    endless = {"CONTENT_LENGTH": "9" * 30}
    assert client.post("/act", environ_overrides=endless).status_code == 413


@pytest.mark.parametrize(("path", "bound"), request_guard.LARGER_BODIES.items())
def test_some_paths_take_more(guard: Guard, path: str, bound: int) -> None:
    client = guard().test_client()

    assert client.post(path, data=b"x" * bound).status_code == 404
    assert client.post(path, data=b"x" * (bound + 1)).status_code == 413
    assert client.post(f"{path}/x", data=b"x" * bound).status_code == 413


@pytest.mark.parametrize(
    ("path", "bound"),
    [("/api/thing", request_guard.LARGEST_BODY), ("/api/leaks", request_guard.LARGER_BODIES["/api/leaks"])],
)
def test_a_body_of_unknown_length_is_bounded_too(guard: Guard, path: str, bound: int) -> None:
    app = guard()
    app.add_url_rule("/api/leaks", view_func=app.view_functions["thing"], methods=["POST"])
    client = app.test_client()
    unknown = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}

    for size, status in ((bound, 200), (bound + 1, 413)):
        environ = {**unknown, "CONTENT_LENGTH": ""}
        response = client.post(path, data=b"x" * size, environ_overrides=environ)
        assert response.status_code == status
        assert status != 200 or response.json["body"] == "x" * size  # type: ignore[index]


@pytest.mark.parametrize("length", ["-1", "+5", "5,5", "0x5", "5 5", "٥", "1e3"])
def test_a_length_that_is_none_is_refused(guard: Guard, length: str) -> None:
    response = guard().test_client().post("/api/thing", environ_overrides={"CONTENT_LENGTH": length})

    assert response.status_code == 400


def test_a_body_has_one_length(guard: Guard) -> None:
    client = guard().test_client()
    for told in ({"HTTP_TRANSFER_ENCODING": "chunked"}, {"HTTP_TRANSFER_ENCODING": ""}):
        assert client.post("/api/thing", data=b"abc", environ_overrides=told).status_code == 400
    other = {"HTTP_TRANSFER_ENCODING": "gzip, chunked", "CONTENT_LENGTH": ""}
    assert client.post("/api/thing", data=b"abc", environ_overrides=other).status_code == 400


def test_too_many_fields_are_refused(guard: Guard) -> None:
    client = guard().test_client()
    fields = {f"field{number}": "x" for number in range(request_guard.MOST_FIELDS + 1)}

    response = client.post("/act", data=fields, content_type="multipart/form-data")

    assert response.status_code == 413


def test_an_address_may_be_so_long_and_no_longer(guard: Guard) -> None:
    client = guard().test_client()
    room = request_guard.LONGEST_URL - len("/")

    assert client.get("/?" + "x" * room).status_code == 200
    assert client.get("/?" + "x" * (room + 1)).status_code == 414
    assert client.get("/" + "x" * request_guard.LONGEST_URL).status_code == 414
    assert client.get("/api/thing?" + "x" * request_guard.LONGEST_URL).status_code == 414


def test_headers_may_be_so_large_and_no_larger(guard: Guard) -> None:
    client = guard().test_client()

    assert client.get("/", headers={"X-Much": "x" * (request_guard.LARGEST_HEADERS - 500)}).status_code == 200
    assert client.get("/", headers={"X-Much": "x" * request_guard.LARGEST_HEADERS}).status_code == 431
    many = {f"X-Much-{number}": "x" * 100 for number in range(200)}
    assert client.get("/", headers=many).status_code == 431


def test_the_settings_in_the_environment_are_no_headers(guard: Guard) -> None:
    environ = {"PORTAL_SECRET_KEY_OF_THE_PROCESS": "x" * request_guard.LARGEST_HEADERS}

    assert guard().test_client().get("/", environ_overrides=environ).status_code == 200


@pytest.mark.parametrize("path", ["/%00", "/?next=%00", "/api/thing?x=a%00b"])
def test_nul_is_refused_in_addresses(guard: Guard, path: str) -> None:
    assert guard().test_client().get(path).status_code == 400


@pytest.mark.parametrize("path", ["//api/thing", "///api/thing", "//"])
def test_a_path_has_one_way_to_be_written(guard: Guard, path: str) -> None:
    answer = guard().test_client().get("/", environ_overrides={"PATH_INFO": path})

    assert answer.status_code == 404


def test_nul_is_refused_in_fields(guard: Guard) -> None:
    assert guard().test_client().post("/act", data={"name": "a\0b"}).status_code == 400


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "DELETE", "PROPFIND"])
def test_other_methods_get_405_with_the_ones_that_are(guard: Guard, method: str) -> None:
    response = guard().test_client().open("/", method=method)

    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("method", ["get", "A" * 33, "A" * 60_000])
def test_a_method_is_a_word_in_capitals(guard: Guard, method: str) -> None:
    environ = {"REQUEST_METHOD": method}

    assert guard().test_client().get("/", environ_overrides=environ).status_code == 400


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_overrides_the_method(guard: Guard, name: str) -> None:
    client = guard().test_client()

    assert client.get("/act", headers={name: "POST"}).status_code == 405
    assert client.get("/act?_method=POST").status_code == 405
    assert client.post("/", headers={name: "GET"}, data={"_method": "GET"}).status_code == 405


def test_head_is_as_get_without_a_body(guard: Guard) -> None:
    client = guard().test_client()
    head, get = client.head("/"), client.get("/")

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
