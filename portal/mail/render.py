"""A mail as it goes out: rendered, and its link signed, only when it is sent. Nothing of it is stored before."""

import unicodedata
from datetime import timedelta
from email.headerregistry import Address

from flask import Flask, g
from flask_mail import Attachment

from portal.app import context_of, settings_of
from portal.domain.messages import N_, NN_
from portal.domain.operations.mail_delivery import DueMail
from portal.domain.organisations import Organisation, find_logo
from portal.domain.outbox import Notice
from portal.domain.tokens import Purpose
from portal.domain.values.colours import DARK, LIGHT, shown
from portal.domain.values.user_agents import read_user_agent
from portal.i18n import Language, moment_text, speaking, translate
from portal.mail.message import LOGO_ID, MessageContent, OutgoingMessage
from portal.mail.transport import own_host

_LINK_PATHS = {
    Notice.VERIFY: "/register/verify/",
    Notice.RESET: "/password/reset/",
    Notice.SIGN_IN: "/login/link/",
}
"""Where the link of each mail that carries one leads."""
_WITH_CODE = {*_LINK_PATHS, Notice.REAUTHENTICATE}
"""The mails that carry a code, with a link or alone."""
_NAME_LENGTH = 60
"""How much of the organisation's name stands in From.

Python's email package drops the quotes of a name that it must fold, and a comma in it would begin another address.
"""
_ADDRESS_LENGTH = 254
_LOGO_TYPES = ("image/png", "image/jpeg")
"""No mail program shows SVG, and Outlook on Windows no WebP: their organisations have the portal's mark."""
_LOGO_BYTES = 20 * 1024
"""Of a larger logo, too, the mark stands in its place: it would go out with every mail, and be fetched on phones."""
# Translators: how long something lasts, as in "The link expires after 24 hours."
_DAYS = NN_("%(num)d day", "%(num)d days")
# Translators: how long something lasts, as in "The link expires after 24 hours."
_HOURS = NN_("%(num)d hour", "%(num)d hours")
# Translators: how long something lasts, as in "The link expires after 24 hours."
_MINUTES = NN_("%(num)d minute", "%(num)d minutes")


class Unmailable(ValueError):
    """The row cannot become a mail; says nothing of what is in it."""


def render(app: Flask, mail: DueMail) -> OutgoingMessage:
    """The mail of a row of the outbox, in its recipient's language, else in the organisation's.

    Every try gives the same Message-ID and the same token. The addresses of its links are made of BASE_URL and the
    organisation's stored host, whatever host the request behind it named. No header holds anything a customer typed
    but the address.
    """
    notice, organisation = Notice(mail.notice), mail.organisation
    with speaking(app, mail.locale, organisation.locale) as language:
        g.organisation = organisation  # whose templates are taken
        logo = _logo(app, organisation)
        values = _values(app, mail, notice, language) | {"logo": f"cid:{LOGO_ID}" if logo else None}

        def part(name: str) -> str:
            return app.jinja_env.get_template(f"mail/{name}").render(values).strip()

        content = MessageContent(
            subject=one_line(part(f"{notice}/subject.txt")),
            text=f"{part(f'{notice}/body.txt')}\n\n{part('_footer.txt')}".strip() + "\n",
            html=part(f"{notice}/body.html") + "\n",
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
    """The logo, to be sent with the mail: nothing is loaded from anywhere when it is read."""
    if organisation.logo_type not in _LOGO_TYPES:
        return None
    with context_of(app).database.read() as connection:
        found = find_logo(connection, organisation.id)
    if found is None or len(found[0]) > _LOGO_BYTES:
        return None
    return Attachment(data=found[0], content_type=found[1], disposition="inline")


def one_line(text: str) -> str:
    """Text that stays within its header.

    CR and LF, but also VT, FF, FS, GS, RS, NEL, LS and PS end a line for str.splitlines(), by which the email package
    reads headers; and it decodes "=?utf-8?q?=0a?=" and writes out what comes of it.
    """
    separators = ("Cc", "Zl", "Zp", "Cs")
    text = "".join(" " if unicodedata.category(character) in separators else character for character in text)
    return " ".join(text.replace("=?", "= ?").split())


def duration_text(duration: timedelta) -> str:
    """A lifetime in words, such as "24 hours" or "3 hours 20 minutes"; never longer than it is."""
    minutes = max(1, int(duration.total_seconds()) // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24) if hours >= 48 else (0, hours)
    parts = []
    if days:
        parts.append(translate(_DAYS, num=days))
    if hours:
        parts.append(translate(_HOURS, num=hours))
    if minutes:
        parts.append(translate(_MINUTES, num=minutes))
    return " ".join(parts)


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
        "occurred_at": moment_text(mail.created_at),
        "asked": _asked(app, mail, language),
        "operator_reason": mail.operator_reason,
    }
    if notice in _WITH_CODE:
        if mail.link is None:
            raise Unmailable("the link is missing")
        purpose = Purpose(mail.link.purpose)
        values["code"] = context_of(app).signer.code(purpose, mail.link.public_id)
        if notice in _LINK_PATHS:
            values["link"] = base_url + _LINK_PATHS[notice] + context_of(app).signer.token(purpose, mail.link.public_id)
        values["expires"] = duration_text(mail.link.lifetime)
    return values


def _asked(app: Flask, mail: DueMail, language: Language) -> list[tuple[str, str]]:
    """Describe the request that led to a mail, as labels and values; readers can tell whether it was theirs."""
    found = [(translate(N_("Time")), moment_text(mail.created_at))]
    browser, system = read_user_agent(mail.user_agent)
    if browser and system:
        # Translators: such as "Chrome on Windows".
        device: str | None = translate(N_("%(browser)s on %(system)s"), browser=browser, system=system)
    else:
        device = browser or system
    if device:
        found.append((translate(N_("Device")), device))
    place = context_of(app).geoip.locate(mail.ip)
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
