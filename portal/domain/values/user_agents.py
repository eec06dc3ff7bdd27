"""The browser and the system that a User-Agent header names, in words that people know."""

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
"""What people call a family of ua-parser's. Others are not named: some are taken as they are out of the header, and
whoever sends that would write a sentence into a mail to somebody else."""
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


def read_user_agent(text: str | None) -> tuple[str | None, str | None]:
    """Return the names of the browser and of the operating system, each None where it is not known."""
    if not text:
        return None, None
    from ua_parser import parse_os, parse_user_agent  # slow to load, and only lists of sessions and events need it

    browser, system = parse_user_agent(text), parse_os(text)
    return _BROWSERS.get(browser.family) if browser else None, _SYSTEMS.get(system.family) if system else None
