"""The browser and the system that a User-Agent header names, in words that people know."""

from functools import lru_cache

_BROWSERS = {
    "Chrome": "Chrome",
    "Chrome Mobile": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chromium": "Chromium",
    "DuckDuckGo": "DuckDuckGo",
    "DuckDuckGo Mobile": "DuckDuckGo",
    "Edge": "Edge",
    "Edge Mobile": "Edge",
    "Facebook": "Facebook",
    "Firefox": "Firefox",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "HeadlessChrome": "Chrome",
    "Instagram": "Instagram",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Opera": "Opera",
    "Opera Mini": "Opera Mini",
    "Opera Mobile": "Opera",
    "Opera Touch": "Opera",
    "Safari": "Safari",
    "Samsung Internet": "Samsung Internet",
    "Vivaldi": "Vivaldi",
    "Yandex Browser": "Yandex",
}
"""The usual names of ua-parser's families. Others are not named: some are copied from the header, so an attacker could
write a sentence into an email to a customer."""
_SYSTEMS = {
    "Android": "Android",
    "Chrome OS": "ChromeOS",
    "Fedora": "Linux",
    "Linux": "Linux",
    "Mac OS X": "macOS",
    "Ubuntu": "Linux",
    "Windows": "Windows",
    "iOS": "iOS",
}


@lru_cache(maxsize=1024)
def read_user_agent(text: str | None) -> tuple[str | None, str | None]:
    """Return the names of the browser and of the operating system, each None where it is not known.

    Cached, since the patterns take 0.05 ms, and customers have few different browsers.
    """
    if not text:
        return None, None
    from ua_parser import parse_os, parse_user_agent  # slow to load, and only lists of sessions and events need it

    browser, system = parse_user_agent(text), parse_os(text)
    return _BROWSERS.get(browser.family) if browser else None, _SYSTEMS.get(system.family) if system else None
