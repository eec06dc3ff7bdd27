"""The pages that links in emails open."""

from typing import Any, ClassVar

from flask import redirect, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.one_time_links import LinkUsed
from portal.domain.tokens import Purpose
from portal.web import session
from portal.web.form_page import FormPage, was_sent_by_our_page


class LinkPage(FormPage):
    """What a link from an email is for; looking never uses it up.

    Two addresses lead to it: that of the link, and one without the token, which the page's script puts in its place in
    the address bar. The second shows the link that this browser opened last, so that the page can be reloaded.

    A browser that used the link itself is led on when it opens it again.
    """

    purpose: ClassVar[Purpose]
    beginning: ClassVar[str]
    """The endpoint where such a link is asked for."""
    onward_endpoint: ClassVar[str] = "account.home"
    """Where a browser is led that has used the link already."""
    told_again: ClassVar[str | None] = None
    """What a browser is told that has used the link already."""

    def get(self, **arguments: Any) -> ResponseReturnValue:
        """The page of a link, and of the one opened last where the address names none."""
        token = arguments.get("token") or self._held_token()
        if token is None:
            return redirect(url_for(self.beginning))
        try:
            page = super().get(token=token)
        except LinkUsed as used:
            return self._lead_on(used)
        session.hold_link(self.purpose, token.partition(".")[0])
        return page

    def post(self, **arguments: Any) -> ResponseReturnValue:
        """Use the link."""
        try:
            return super().post(**arguments)
        except LinkUsed as used:
            return self.sent_again(used)

    def show_stale(self, **arguments: Any) -> ResponseReturnValue:
        """As for every form; a browser that has used the link in another tab is led on."""
        try:
            return super().show_stale(**arguments)
        except LinkUsed as used:
            if not was_sent_by_our_page():
                raise
            return self._lead_on(used)

    def sent_again(self, used: LinkUsed) -> ResponseReturnValue:
        """Answer a form of a link that was used before. Raises what it is given in any other browser."""
        return self._lead_on(used)

    def _held_token(self) -> str | None:
        public_id = session.held_link(self.purpose)
        return public_id and current_context().signer.token(self.purpose, public_id)

    def _lead_on(self, used: LinkUsed) -> ResponseReturnValue:
        """Lead to what a link has led to, unless another browser used it or another customer is signed in now."""
        customer = session.current_customer()
        if not session.has_used_link(used.link.public_id) or (customer and customer.id != used.link.contact_id):
            raise used
        if self.told_again:
            session.give_notice(self.told_again)
        return redirect(url_for(self.onward_endpoint))
