"""Pages, and whole portals and workers, when clocks are set back or forward or differ."""

import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import time_machine

from portal.domain.context import Visitor
from portal.domain.outbox import Notice
from portal.storage.clock import SystemClock
from tests.cli.process import environment, serving, wait_until
from tests.faults.faketime import WrongClock
from tests.mail.mail_portal import MailPortal
from tests.mail.sink import Act, Sink, Stage
from tests.web import test_served
from tests.web.browser import Browser
from tests.web.conftest import PASSWORD, Site
from tests.web.post import code_in, link_in

pytestmark = pytest.mark.full

EMAIL = "ada@example.com"
SECOND, HOUR, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "hours", "days"))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BACK = [-SECOND, -HOUR, -DAY]
steps_back = pytest.mark.parametrize("step", BACK, ids=str)


# Pages.


@steps_back
def test_a_clock_set_back_ends_no_form_session_link_or_code(site: Site, step: timedelta) -> None:
    with time_machine.travel(NOW, tick=False) as machine:
        signed_in = site.customer(EMAIL)
        change = signed_in.open("/account/password").form()
        asking = site.browser()
        asking.fill("/login/link", {"email": EMAIL})
        code = code_in(site.mails(EMAIL)[-1])
        site.browser().ask_for_reset(EMAIL)
        reset = site.link(EMAIL)
        login = site.browser()
        form = login.open("/login").form()
        machine.shift(step)

        assert signed_in.is_signed_in
        assert login.post(form, {"email": EMAIL, "password": PASSWORD}).location == "/account"
        assert login.is_signed_in
        assert asking.fill("/login/code", {"code": code}, submit_to="/login/code").location == "/account"
        assert asking.is_signed_in
        typed = {"current_password": PASSWORD, "password": "nine grey otters swim"}
        assert signed_in.post(change, typed).location == "/account"
        site.browser().ask_for_reset(EMAIL)
        assert site.link(EMAIL) != reset, "a mail that was asked for after the step did not come"
        late = site.link(EMAIL)
        assert site.browser().fill(late, {"password": "four red foxes sleep"}).status == 302


@steps_back
def test_a_clock_set_back_extends_lifetimes_by_no_more_than_the_step(site: Site, step: timedelta) -> None:
    with time_machine.travel(NOW, tick=False) as machine:
        signed_in = site.customer(EMAIL)
        site.browser().ask_for_reset(EMAIL)
        link = site.link(EMAIL)
        machine.shift(step)
        machine.shift(timedelta(minutes=30) - step - SECOND)
        assert site.browser().open(link).status == 200
        machine.shift(SECOND)
        assert site.browser().open(link).status == 410
        machine.shift(timedelta(minutes=90) - SECOND)
        assert signed_in.is_signed_in
        machine.shift(timedelta(hours=2))
        assert not signed_in.is_signed_in


def test_a_clock_ten_years_ahead_and_back_ends_only_sessions_links_and_codes(site: Site) -> None:
    with time_machine.travel(NOW, tick=False) as machine:
        before = site.customer(EMAIL)
        site.browser().ask_for_reset(EMAIL)
        link = site.link(EMAIL)
        for years in (10, -10):
            machine.shift(years * 365 * DAY)
            for browser in (before, Browser(site.app)):
                browser.send("/account")
                assert browser.sign_in(EMAIL, PASSWORD).location == "/account"
                assert browser.is_signed_in
            mails = len(site.mails())
            site.browser().ask_for_reset(EMAIL)
            assert len(site.mails()) == mails + 1
            if years > 0:
                assert site.browser().open(link).status in (404, 410)


# Real processes.


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


def test_a_portal_serves_through_an_hour_back_and_an_hour_forward(tmp_path: Path, sink: Sink) -> None:
    clock = WrongClock(tmp_path / "wrong")
    settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), **test_served.CHEAP}
    with serving(tmp_path / "private" / "instance", program=clock.program, **settings) as served:
        customer = test_served.Visitor(served)
        sink.script[Stage.RCPT] = "450 later"
        typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
        assert customer.fill("/register", **typed)[:2] == (302, "/register/code")
        wait_until(lambda: "put off" in served.log.read_text())
        sink.script.clear()

        clock.set(-HOUR)
        link = urlsplit(link_in(sink.wait_for(1)[0])).path
        assert customer.fill(link)[:2] == (302, "/account")
        assert EMAIL in customer.ask("GET", "/account")[2]
        assert test_served.Visitor(served).fill("/password/reset", email=EMAIL)[0] == 302
        sink.wait_for(2)

        clock.set(timedelta(0))
        assert EMAIL in customer.ask("GET", "/account")[2]
        clock.set(HOUR)
        assert test_served.Visitor(served).fill("/login", email=EMAIL, password=PASSWORD)[:2] == (302, "/account")
        assert test_served.Visitor(served).fill("/password/reset", email=EMAIL)[0] == 302
        sink.wait_for(3)
        assert served.complaints() == []
        served.process.send_signal(signal.SIGTERM)
        assert served.end() == 0
    assert len(sink.messages) == 3


@contextmanager
def worker_of(clock: WrongClock, folder: Path, environ: Mapping[str, str], sink: Sink) -> Iterator[None]:
    """Run `portal worker` with a clock of its own; check that it stops when asked to."""
    server = {"PORTAL_MAIL_SERVER": sink.host, "PORTAL_MAIL_PORT": str(sink.port)}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*clock.program, "worker"], env={**environment(folder), **environ, **server}, stdout=log, stderr=log
        ) as worker,
    ):
        try:
            yield
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        finally:
            worker.kill()


@pytest.mark.on_postgresql
def test_two_workers_with_clocks_an_hour_apart_do_not_claim_each_others_mails(
    tmp_path: Path, environ: Mapping[str, str], visitor: Visitor, sink: Sink
) -> None:
    slow, fast = (WrongClock(tmp_path / name, ahead) for name, ahead in [("slow", -HOUR / 2), ("fast", HOUR / 2)])
    mail_portal = MailPortal(environ, visitor, SystemClock())
    with closing(mail_portal), Sink() as silent, ExitStack() as workers:
        silent.script[Stage.DOT] = Act.SILENT
        workers.enter_context(worker_of(slow, tmp_path / "slow", environ, silent))
        held = mail_portal.queue(notice=Notice.RESET)
        silent.wait_for_command(".")
        workers.enter_context(worker_of(fast, tmp_path / "fast", environ, sink))
        mail_portal.queue("grace@example.com", Notice.RESET)
        sink.wait_for(1)
        assert [mail["To"] for mail in sink.messages] == ["grace@example.com"]
        assert mail_portal.row(held).state == "queued"
        silent.release()
        silent.wait_for(1)
        workers.close()
        assert mail_portal.states() == ["sent", "sent"]
        assert (len(silent.messages), len(sink.messages)) == (1, 1)
