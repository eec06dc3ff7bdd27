"""Every error under /api/ is JSON, and browser headers (origins, cookies, languages) have no effect."""

import pytest

from tests.api.platform_errors import EMAIL, LOGIN, assert_api_headers, assert_platform_error
from tests.api.shop import Answer, Shop, new_shop
from tests.web.conftest import Site, Start

FACE_ONLY = pytest.mark.on_sqlite
"""These responses do not depend on the database: one kind is enough."""


@FACE_ONLY
@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v2/customer/login",
        "/api/v1/customer/",
        "/api/v1/customer/login/",
        "/api/v1//customer/login",
        "/api/v1/customer/none",
        "/api/login",
        "/api/%00",
        "/api/\N{SNOWMAN}",
        "/api/v1/customer/login/../../../../login",
        "/api/" + "a" * 5000,
    ],
    ids=lambda path: ascii(path[:40]),
)
def test_an_unknown_path_is_404(shop: Shop, path: str) -> None:
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        assert_platform_error(shop.ask(method, path), 404)


def test_another_method_is_405_and_the_right_one_named(shop: Shop) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"):
        answer = shop.ask(method, "login", body=LOGIN)
        assert_platform_error(answer, 405)
        assert answer.headers["Allow"] == "POST"


def test_head_of_an_endpoint_has_no_body(shop: Shop) -> None:
    assert shop.ask("HEAD", "login").status == 405
    assert shop.ask("HEAD", "get-account-info", query={"identityId": "x"}).status == 200
    answer = shop.ask("POST", "get-account-info", body={})
    assert_platform_error(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_method_override_is_ignored(shop: Shop) -> None:
    for headers in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "POST"}):
        assert_platform_error(shop.ask("GET", "login", headers=headers, query={"_method": "POST"}), 405)


@FACE_ONLY
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/html",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/vnd.api+json",
        "text/json",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-16",
        "application/jsonx",
    ],
)
def test_another_content_type_is_415(shop: Shop, content_type: str) -> None:
    data = '{"email": "ada@example.com", "password": "x"}'
    assert_platform_error(shop.ask("POST", "login", data=data, headers={"Content-Type": content_type}), 415)


@FACE_ONLY
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; charset=utf8",
        "Application/JSON",
        "application/json; profile=x",
    ],
)
def test_json_is_json_however_it_is_spelled(shop: Shop, content_type: str) -> None:
    data = '{"email": "ada@example.com", "password": "x"}'
    assert shop.ask("POST", "login", data=data, headers={"Content-Type": content_type}).code == "E002"


@FACE_ONLY
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"[]",
        b"[1]",
        b"null",
        b"true",
        b"7",
        b'"text"',
        b"{} {}",
        b"{'email': 'a'}",
        b'{"email": undefined}',
        b'{"email": NaN}',
        b'{"x": Infinity}',
        b'{"x": -Infinity}',
        b'{"x": ' + b"9" * 5000 + b"}",
        b'\xef\xbb\xbf{"email": "a"}',
        b'{"email": "\xff"}',
        b'{"email": "\xed\xa0\x80"}',
        '{"email": "a"}'.encode("utf-16"),
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b"a=b",
    ],
    ids=lambda data: ascii(data[:24]),
)
def test_a_body_that_is_not_a_json_object_is_400(shop: Shop, data: bytes) -> None:
    assert_platform_error(shop.ask("POST", "login", data=data), 400)


@FACE_ONLY
@pytest.mark.parametrize("size", [64 * 1024 + 1, 200_000 * 2, 10_000_000])
def test_a_body_that_is_too_large_is_413(shop: Shop, size: int) -> None:
    assert_platform_error(shop.ask("POST", "login", data=b"[" * size), 413)


def test_a_large_body_within_the_bound_is_read(shop: Shop) -> None:
    many = {f"field{number}": number for number in range(3000)}
    assert shop.post("login", email=EMAIL, password="x", **many).code == "E002"


class TestPlainHttp:
    def test_is_refused_and_not_redirected_where_the_portal_is_reached_by_https(self, start: Start) -> None:
        site = start(BASE_URL="https://portal.example.com", TRUSTED_PROXIES="1")
        shop = new_shop(site)
        plain = {"base_url": "http://portal.example.com"}
        for headers in ({}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "https, http"}):
            answer = Answer(shop.client.post("/api/v1/customer/login", json=LOGIN, headers=headers, **plain))
            assert (answer.status, answer.code) == (400, "BAD_REQUEST")
        answer = Answer(
            shop.client.post(
                "/api/v1/customer/login",
                json=LOGIN,
                headers={"X-Forwarded-Proto": "https", "Authorization": f"Bearer {shop.key}"},
                **plain,
            )
        )
        assert answer.code == "E002"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"

    def test_no_header_makes_it_https_without_a_proxy(self, start: Start) -> None:
        shop = new_shop(start(BASE_URL="https://portal.example.com"))
        answer = Answer(
            shop.client.post(
                "/api/v1/customer/login",
                json=LOGIN,
                headers={"X-Forwarded-Proto": "https", "Forwarded": "proto=https"},
                base_url="http://portal.example.com",
            )
        )
        assert answer.code == "BAD_REQUEST"
        assert shop.post("login", **LOGIN).code == "E002"

    def test_is_accepted_where_base_url_is_http(self, shop: Shop) -> None:
        assert shop.post("login", **LOGIN).code == "E002"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://localhost.evil.example", "http://localhost"]
)
def test_origins_cookies_and_languages_play_no_part(site: Site, shop: Shop, origin: str) -> None:
    cookie = site.customer(EMAIL).cookie()
    plain = shop.post("login", email=EMAIL, password="x")
    headers = {
        "Origin": origin,
        "Sec-Fetch-Site": "cross-site",
        "Cookie": f"portal={cookie}",
        "Accept-Language": "cs",
        "Accept": "text/html",
        "Referer": origin,
    }
    answer = shop.ask("POST", "login", body={"email": EMAIL, "password": "x"}, headers=headers)
    assert (
        answer.json
        == plain.json
        == {
            "success": False,
            "errorCode": "E004",
            "message": "Wrong e-mail or password.",
        }
    )
    assert_api_headers(answer)
    assert_platform_error(
        shop.ask("OPTIONS", "login", headers={**headers, "Access-Control-Request-Method": "POST"}), 405
    )


def test_a_session_cookie_is_no_credential(site: Site) -> None:
    cookie = site.customer(EMAIL).cookie()
    answer = Shop(site, None).ask("POST", "login", body=LOGIN, headers={"Cookie": f"portal={cookie}"})
    assert (answer.status, answer.code) == (404, "PUBLIC_API_KEY_IS_EMPTY")


def test_success_has_the_same_headers_and_no_cookie(site: Site, shop: Shop) -> None:
    site.customer(EMAIL)
    answer = shop.post("login", **LOGIN)
    assert answer.json["success"] is True
    assert_api_headers(answer)


def test_an_invalid_host_header_is_answered_in_json(shop: Shop) -> None:
    for host in ("", "[", "a" * 300, "evil.example:x", "<xss>"):
        answer = shop.ask("POST", "login", body=LOGIN, headers={"Host": host})
        assert answer.status in (200, 400), host
