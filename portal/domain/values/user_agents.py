"""Browsers and systems, read from what browsers say of themselves."""

from dataclasses import dataclass

_BROWSERS = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "Edge Mobile": "Edge",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Opera Mobile": "Opera",
}
_SYSTEMS = {"Chrome OS": "ChromeOS", "Mac OS X": "macOS"}
"""What ua-parser calls by another name than people do."""
_UNKNOWN = "Other"


@dataclass(frozen=True)
class Browser:
    """A browser and the system it runs on, by the names that people know; None for what is not known."""

    name: str | None
    system: str | None


def read_user_agent(text: str | None) -> Browser:
    """Read a User-Agent header, cut to the length that is stored."""
    if not text:
        return Browser(None, None)
    from ua_parser import parse_os, parse_user_agent  # takes a tenth of a second, and few processes need it

    browser, system = parse_user_agent(text), parse_os(text)
    return Browser(
        name=_named(browser.family if browser else None, _BROWSERS),
        system=_named(system.family if system else None, _SYSTEMS),
    )


def _named(family: str | None, names: dict[str, str]) -> str | None:
    return None if family is None or family == _UNKNOWN else names.get(family, family)
