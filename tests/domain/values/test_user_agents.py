"""What browsers say of themselves, as people call them."""

import pytest

from portal.domain.values.user_agents import Browser, read_user_agent
from portal.storage.models import USER_AGENT_LENGTH

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("text", "name", "system"),
    [
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0.0.0 Safari/537.36", "Chrome", "Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0 Safari/537.36 Edg/142.0", "Edge", "Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome", "Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox", "Linux"),
        (f"{IPHONE} Version/18.0 Mobile/15E148 Safari/604.1", "Safari", "iOS"),
        (f"{IPHONE} CriOS/142.0 Mobile/15E148 Safari/604.1", "Chrome", "iOS"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18.0 Safari/605.1.15", "Safari", "macOS"),
        ("curl/8.0", "curl", None),
        ("Nothing known", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_browser_and_system_have_the_names_that_people_know(
    text: str | None, name: str | None, system: str | None
) -> None:
    assert read_user_agent(text) == Browser(name, system)


@pytest.mark.parametrize("piece", ["(", "X;", "Mozilla/5.0 (", "Android ", "\N{SNOWMAN}"])
def test_any_text_of_the_stored_length_is_read(piece: str) -> None:
    read_user_agent((piece * USER_AGENT_LENGTH)[:USER_AGENT_LENGTH])
