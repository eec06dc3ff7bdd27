"""Render an email of the outbox. This happens when it is sent, so that no link or code is stored."""

import unicodedata
from datetime import datetime
from email.headerregistry import Address

from flask import Flask, g
from flask_mail import Attachment

from portal.app import context_of, settings_of
from portal.domain.messages import N_
from portal.domain.operations.mail_delivery import DueMail
from portal.domain.organisations import Organisation, find_logo
from portal.domain.outbox import LINKS, Notice
from portal.domain.tokens import Purpose
from portal.domain.values.colours import DARK, LIGHT, shown
from portal.domain.values.user_agents import read_user_agent
from portal.i18n import Language, duration_text, moment_text, speaking, translate
from portal.mail.message import LOGO_ID, MessageContent, OutgoingMessage
from portal.mail.transport import own_host

_LINK_PATHS = {
    Purpose.VERIFY: "/register/verify/",
    Purpose.RESET: "/password/reset/",
    Purpose.SIGN_IN: "/login/link/",
    Purpose.KEEP: "/account/keep/",
    Purpose.ADDRESS_CHANGE: "/account/email/confirm/",
    Purpose.ADDRESS_UNDO: "/account/email/undo/",
    Purpose.NOT_ME: "/not-me/",
}
"""The path of the links of each purpose; the others have a code only."""
_NAME_LENGTH = 60
"""The maximum length of the name in From.

When Python's email package folds a longer name, it drops the quotes, and a comma in the name starts another address.
"""
_ADDRESS_LENGTH = 254
_LOGO_TYPES = ("image/png", "image/jpeg")
"""Mail programs do not show SVG, and Outlook on Windows not WebP; these organisations get the portal's own logo."""
_LOGO_BYTES = 20 * 1024
"""Instead of a larger logo, the portal's own is used, because each email includes it."""
_TIMES = ("expires", "until", "erased_on")
"""The values that are dates and lifetimes."""


class Unmailable(ValueError):
    """The row of the outbox cannot be rendered; the message has no data of it."""


def render(app: Flask, mail: DueMail) -> OutgoingMessage:
    """Render an email in the language of its recipient, else of the organisation.

    Each attempt has the same Message-ID and token. Links use BASE_URL and the organisation's stored host, never that of
    a request. Of what a customer typed, only the address is in a header.
    """
    notice, organisation = Notice(mail.notice), mail.organisation
    with speaking(app, mail.locale, organisation.locale) as language:
        g.organisation = organisation  # selects the templates (customisation.py)
        logo = _logo(app, organisation)
        values = _values(app, mail, notice, language) | {"logo": f"cid:{LOGO_ID}" if logo else None}
        # In HTML, no line ends between a number and its unit.
        unbroken = {name: str(values[name]).replace(" ", "\N{NO-BREAK SPACE}") for name in _TIMES if name in values}

        def part(name: str, **more: str) -> str:
            return app.jinja_env.get_template(f"mail/{name}").render(values, **more).strip()

        content = MessageContent(
            subject=one_line(part(f"{notice}/subject.txt")),
            text=f"{part(f'{notice}/body.txt')}\n\n{part('_footer.txt')}".strip() + "\n",
            html=part(f"{notice}/body.html", **unbroken) + "\n",
            logo=logo,
        )
        return OutgoingMessage(
            _recipient(mail.recipient),
            _sender(organisation.name, organisation.sender or settings_of(app).mail_default_sender),
            content,
            date=mail.created_at,
            message_id=f"<{mail.message_id}@{own_host(settings_of(app))}>",
            headers={
                "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office answers
                "Content-Language": language.tag,
            },
        )


def _logo(app: Flask, organisation: Organisation) -> Attachment | None:
    """Return the logo to include in the email, so that readers load nothing from a server."""
    if organisation.logo_type not in _LOGO_TYPES:
        return None
    with context_of(app).database.read() as connection:
        logo = find_logo(connection, organisation.id)
    if logo is None or len(logo.data) > _LOGO_BYTES:
        return None
    return Attachment(data=logo.data, content_type=logo.media_type, disposition="inline")


def one_line(text: str) -> str:
    """Return a text for a header without line breaks, to prevent header injection.

    The email package splits headers with str.splitlines(), which breaks lines also at VT, FF, FS, GS, RS, NEL, LS and
    PS. It also decodes words such as "=?utf-8?q?=0a?=".
    """
    separators = ("Cc", "Zl", "Zp", "Cs")
    text = "".join(" " if unicodedata.category(character) in separators else character for character in text)
    return " ".join(text.replace("=?", "= ?").split())


def _values(app: Flask, mail: DueMail, notice: Notice, language: Language) -> dict[str, object]:
    base_url = mail.organisation.url(settings_of(app).base_url)
    values: dict[str, object] = {
        "lang": language.tag,
        "text_direction": language.direction,
        "organisation": mail.organisation,
        "light": LIGHT,
        "dark": DARK,
        "accent": shown(mail.organisation.accent, LIGHT),
        "dark_accent": shown(mail.organisation.accent, DARK),
        "email": mail.recipient,
        "login_url": f"{base_url}/login",
        "reset_url": f"{base_url}/password/reset",
        "asked": _asked(app, language, mail.created_at, mail.ip, mail.user_agent),
        "further_sign_ins": [
            _asked(app, language, datetime.fromisoformat(one["at"]), one["ip"], one["userAgent"])
            for one in mail.details.get("signIns", ())
        ],
    }
    values["operator_reason"] = mail.details.get("reason")
    values["passkey_provider"] = mail.details.get("provider")
    if until := mail.details.get("until"):
        values["until"] = moment_text(datetime.fromisoformat(until))
    if mail.link is not None:
        purpose, signer = Purpose(mail.link.purpose), context_of(app).signer
        values["code"] = signer.code(purpose, mail.link.public_id)
        if purpose in _LINK_PATHS:
            values["link"] = base_url + _LINK_PATHS[purpose] + signer.token(purpose, mail.link.public_id)
        values["expires"] = duration_text(mail.link.lifetime)
        values["erased_on"] = moment_text(mail.link.expires_at)  # a closed account is erased when its link expires
    elif LINKS.get(notice) not in (None, Purpose.NOT_ME):  # a notice leads to a reset instead
        raise Unmailable("the link is missing")
    return values


def _asked(
    app: Flask, language: Language, moment: datetime, ip: str | None, user_agent: str | None
) -> list[tuple[str, str]]:
    """Return labels and values about a request that an email tells of, so that readers can recognise it."""
    found = [(translate(N_("Time")), moment_text(moment))]
    browser, system = read_user_agent(user_agent)
    if browser and system:
        # Translators: such as "Chrome on Windows".
        device: str | None = translate(N_("%(browser)s on %(system)s"), browser=browser, system=system)
    else:
        device = browser or system
    if device:
        found.append((translate(N_("Device")), device))
    place = context_of(app).geoip.locate(ip)
    if place:
        country = language.locale.territories.get(place.country_code, place.country)
        if where := ", ".join(part for part in (place.city, country) if part):
            found.append((translate(N_("Approximate location")), where))
    return found


def _sender(name: str, address: str) -> Address:
    return Address(one_line(name)[:_NAME_LENGTH].strip(), addr_spec=address)


def _recipient(address: str | None) -> Address:
    if not address or len(address) > _ADDRESS_LENGTH or not address.isascii() or one_line(address) != address:
        raise Unmailable("no address to send to")
    return Address(addr_spec=address)
