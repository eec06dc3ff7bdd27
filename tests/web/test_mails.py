"""The content of the emails of the pages."""

from email.message import EmailMessage

import pytest

from tests.web.conftest import PASSWORD, Site, Start
from tests.web.post import html_of, link_in, not_me_link_in, text_of

EMAIL = "ada@example.com"
SECOND = "nine grey otters swim"


@pytest.fixture
def every_mail(site: Site) -> dict[str, EmailMessage]:
    """One email of each kind."""
    browser = site.customer(EMAIL, first_name="Zanzibara", last_name="http://evil.example", company_name="Wonderworks")
    browser.ask_for_reset(EMAIL)
    site.deliver()
    site.browser().register(EMAIL, SECOND, first_name="Zanzibara", company_name="Wonderworks")
    browser.fill("/account/password", {"current_password": PASSWORD, "password": SECOND})
    verify, *rest = site.mails(EMAIL)
    kinds = {mail["Subject"].split()[0] + mail["Subject"].split()[1]: mail for mail in rest}
    assert sorted(kinds) == ["Seta", "Youalready", "Yourpassword"]
    return {"verify": verify, "reset": kinds["Seta"], "exists": kinds["Youalready"], "changed": kinds["Yourpassword"]}


def test_each_email_has_plain_text_first_and_an_equivalent_html_part(every_mail: dict[str, EmailMessage]) -> None:
    for mail in every_mail.values():
        assert mail.get_content_type() == "multipart/alternative"
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
        assert [part.get_content_charset() for part in mail.iter_parts()] == ["utf-8", "utf-8"]
        heading = text_of(mail).splitlines()[0]
        assert f">{heading}</h1>" in html_of(mail)
        assert '<html lang="en"' in html_of(mail)
        for line in text_of(mail).splitlines():
            if line.startswith("http"):
                assert f'href="{line}"' in html_of(mail)


def test_each_email_has_one_recipient_a_date_and_a_unique_message_id(every_mail: dict[str, EmailMessage]) -> None:
    for mail in every_mail.values():
        assert mail.get_all("To") == [EMAIL]
        assert "portal@localhost" in mail["From"]
        assert mail["Date"]
        assert mail["Auto-Submitted"] == "auto-generated"
    ids = [mail["Message-ID"] for mail in every_mail.values()]
    assert len(set(ids)) == 4
    assert all(message_id.startswith("<") and "@" in message_id and message_id.endswith(">") for message_id in ids)


def test_one_time_links_stand_alone_on_their_line_and_only_in_their_emails(
    every_mail: dict[str, EmailMessage],
) -> None:
    assert "/register/verify/" in link_in(every_mail["verify"])
    assert "/password/reset/" in link_in(every_mail["reset"])
    links = [line for line in text_of(every_mail["exists"]).splitlines() if line.startswith("http")]
    assert {link.removeprefix("http://127.0.0.1:5000") for link in links} <= {"", "/login", "/password/reset"}
    links = [line for line in text_of(every_mail["changed"]).splitlines() if line.startswith("http")]
    assert links == [not_me_link_in(every_mail["changed"])]


def test_no_email_holds_a_password_or_typed_text_except_the_address(
    every_mail: dict[str, EmailMessage],
) -> None:
    for mail in every_mail.values():
        everything = mail["Subject"] + text_of(mail) + html_of(mail)
        assert EMAIL in text_of(mail)
        assert EMAIL not in mail["Subject"]
        for typed in (PASSWORD, SECOND, "Zanzibara", "evil.example", "Wonderworks"):
            assert typed not in everything


def test_no_email_loads_remote_content_or_links_elsewhere(every_mail: dict[str, EmailMessage]) -> None:
    for mail in every_mail.values():
        html = html_of(mail)
        assert not any(word in html for word in ("<img", "<script", "<link", "url(", "@import", "<form"))
        assert all(link.startswith("http://127.0.0.1:5000") for link in html.split('href="')[1:])


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"Host": "evil.example:81", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"X-Original-Host": "evil.example", "X-Host": "evil.example", "X-Forwarded-Server": "evil.example"},
    ],
)
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_the_host_header_is_in_no_email(start: Start, headers: dict[str, str], proxies: str) -> None:
    site = start(TRUSTED_PROXIES=proxies)
    browser = site.browser()
    form = browser.open("/register").form()
    typed = {"email": EMAIL, "password": PASSWORD, "first_name": "Ada", "last_name": "Quill"}
    assert browser.post(form, typed, headers=headers).status in (302, 400)
    site.customer("bob@example.com")
    form = browser.open("/password/reset").form()
    assert browser.post(form, {"email": "bob@example.com"}, headers=headers).status in (302, 400)

    assert len(site.mails()) >= 1
    for mail in site.mails():
        assert "evil" not in mail.as_string()
        assert link_in(mail).startswith("http://127.0.0.1:5000/")


@pytest.mark.parametrize(
    "address",
    ["{{1234*9}}@example.com", "o'brien+%s%d@example.com", "a&b`|=~^?@example.com", "a" * 64 + "@example.com"],
)
def test_an_odd_address_gets_its_email_with_the_address_as_typed(site: Site, address: str) -> None:
    site.browser().register(address, PASSWORD)

    (mail,) = site.mails()
    assert mail["To"] == address
    assert address in text_of(mail)
    assert "11106" not in text_of(mail) + html_of(mail)
    assert link_in(mail)
