"""What `portal check` says of the operator's own templates: what is never shown, and what fails when it is."""

from collections.abc import Iterator, Sequence

from flask import Flask

from portal.app import context_of, settings_of
from portal.cli.check_servers import Finding
from portal.customisation import environment_of
from portal.domain.organisations import Organisation
from portal.domain.outbox import Notice
from portal.i18n import languages_of
from portal.mail.render import render
from portal.mail.sample import sample_mail

_PAGES = ("/login", "/login/link", "/register", "/password/reset", "/nothing-here")
"""Public pages, which together show all shared parts."""


def find_in_overrides(app: Flask, organisations: Sequence[Organisation]) -> Iterator[Finding]:
    """Show the mails and some pages of each organisation, where the instance has templates of its own."""
    environment = environment_of(app)
    if not environment.overrides:
        return
    for problem in environment.unused({one.slug for one in organisations}):
        yield "INSTANCE_PATH", f"contains {problem}; rename or delete it"
    client = app.test_client()
    for organisation in organisations:
        for path in _PAGES:
            client.get(path, base_url=organisation.url(settings_of(app).base_url))
        for notice in Notice:
            for tag in languages_of(app).tags:
                render(app, sample_mail(context_of(app), organisation, notice, tag))
    for place in sorted(environment.failures):
        yield "INSTANCE_PATH", f"contains {place}: it fails, so the portal's own is shown; correct it"
