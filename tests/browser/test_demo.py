"""`make demo`: a shop that shows the portal, as a visitor of the demo sees it."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from demo.seed import CUSTOMERS
from tests.browser.visitor import PASSWORD, press_enter
from tests.cli.process import PATIENCE_SECONDS
from tests.mail.smtp_connection import CERTIFICATE

pytestmark = [pytest.mark.browser, pytest.mark.full]

EMAIL = "nell@example.com"


@pytest.fixture
def demo(tmp_path: Path, chromium: str) -> Iterator[dict[str, str]]:
    """The addresses that it prints."""
    if shutil.which("openssl") is None:  # the demo cannot create one then
        shutil.copy(CERTIFICATE, tmp_path / "certificate.pem")
    command = [sys.executable, "-m", "demo", "--port", "0", "--folder", str(tmp_path)]
    errors = tmp_path / "errors.txt"
    with errors.open("w") as stderr, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as run:
        assert run.stdout is not None
        try:
            lines = [run.stdout.readline() for _ in range(5)]
            assert all(lines), errors.read_text()
            yield {name: address.strip() for name, _, address in (line.partition(":") for line in lines)}
            assert errors.read_text() == ""
        finally:
            run.send_signal(signal.SIGTERM)
            assert run.wait(PATIENCE_SECONDS) == 0
            assert errors.read_text() == ""  # no line for each request


def test_registering_in_the_frame_signs_in_at_the_shop(demo: dict[str, str], browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True, locale="en-US")
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    mails = context.new_page()
    mails.goto(demo["Emails"])
    expect(mails.locator("#mails")).to_contain_text("No emails yet")
    page.goto(demo["Shop"])
    frame = page.frame_locator("iframe")
    press_enter(frame.get_by_role("link", name="Create an account"))  # it moves while the frame is resized
    expect(frame.locator("[name=first_name]")).to_be_visible()  # the page before has an email field, too
    for name, text in {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}.items():
        frame.locator(f"[name={name}]").fill(text)
    press_enter(frame.get_by_role("button", name="Create an account"))
    expect(frame.locator("h1")).to_have_text("Check your email")

    expect(mails.locator("article")).to_contain_text(EMAIL)  # without a reload
    assert len(mails.locator("article").all()) == 1
    code = re.search(r"(?m)^\d{6}$", mails.inner_text("body"))
    assert code is not None
    frame.locator("[name=code]").fill(code[0])
    press_enter(frame.get_by_role("button", name="Confirm email address"))
    events, who = page.locator("#events"), page.locator("#who")
    expect(events).to_contain_text("portal:signed-in")
    expect(events).to_contain_text(f"The server redeemed it for {EMAIL}")
    expect(who).to_have_text("Hello Ada")

    mails.get_by_role("button", name="Delete all").click()
    expect(mails.locator("#mails")).to_contain_text("No emails yet")

    page.reload()
    expect(who).to_have_text("Hello Ada")
    expect(events).to_contain_text("portal:resize")
    press_enter(frame.get_by_role("button", name="Sign out"))
    expect(events).to_contain_text("portal:signed-out")
    expect(who).to_have_text("Not signed in")
    assert faults == []
    context.close()


def test_the_demo_has_two_organisations(demo: dict[str, str], browser: Browser) -> None:
    context = browser.new_context(ignore_https_errors=True, locale="en-US")
    page = context.new_page()
    for name, customer in (("Portal", CUSTOMERS[0]), ("Glass", CUSTOMERS[2])):
        page.goto(f"{demo[name]}login")
        page.fill("[name=email]", customer.email)
        page.fill("[name=password]", customer.password or "")
        press_enter(page.locator("main form button.primary"))
        expect(page.locator("main")).to_contain_text(customer.first_name)
    context.close()
