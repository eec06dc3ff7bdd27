"""Browsers and systems by their usual names."""

import pytest

from portal.domain.values.user_agents import read_user_agent

GECKO = "(KHTML, like Gecko)"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 {GECKO} Chrome/141.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 {GECKO} Version/18.1 Safari/605.1.15"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("header", "browser", "system"),
    [
        (WINDOWS, "Chrome", "Windows"),
        (f"{WINDOWS} Edg/141.0.0.0", "Edge", "Windows"),
        (MAC, "Safari", "macOS"),
        (f"{IPHONE} Version/18.1 Mobile/15E148 Safari/604.1", "Safari", "iOS"),
        (f"{IPHONE} CriOS/141.0 Mobile/15E148 Safari/604.1", "Chrome", "iOS"),
        (f"{ANDROID} Chrome/141.0.0.0 Mobile Safari/537.36", "Chrome", "Android"),
        (f"{ANDROID} SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36", "Samsung Internet", "Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux"),
        ("Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox", "Android"),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36",
            "Chrome",
            "ChromeOS",
        ),
        (None, None, None),
        ("", None, None),
        ("curl/8.5.0", None, None),
        ("\\x00" * 255, None, None),
    ],
)
def test_a_browser_and_its_system_get_their_common_names(
    header: str | None, browser: str | None, system: str | None
) -> None:
    assert read_user_agent(header) == (browser, system)


@pytest.mark.parametrize(
    "header",
    [
        "Call-0900-123456-bot/1.0 (Windows NT 10.0)",
        "evil.example.com/1.0",
        "Mozilla/5.0 (compatible; Your-account-is-blocked-bot/2.1; +http://evil.example.com)",
        "EvilExampleCom Crawler/9",
        "Mozilla/5.0 (Linux; Android 14; call 0900 123456) Chrome/141.0 Mobile",
    ],
)
def test_text_made_up_by_the_sender_is_never_shown(header: str) -> None:
    assert {*read_user_agent(header)} <= {None, "Chrome", "Android", "Windows"}
