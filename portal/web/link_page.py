"""The pages that links in emails open."""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from portal.app import current_context
from portal.domain.one_time_links import LinkUsed, OpenLink
from portal.domain.tokens import Purpose
from portal.web import emailed_links, session
from portal.web.form_page import FormPage, FormT, PageState, was_sent_by_our_page


@dataclass
class LinkState(PageState):
    """A link with its token, and the address that its email was sent to."""

    token: str
    email: str
    link: OpenLink


LinkStateT = TypeVar("LinkStateT", bound=LinkState)


class LinkPage(FormPage[FormT, LinkStateT]):
    """The page of a link from an email. Opening it does not use the link; its form does.

    The page has two URLs: that of the link, and one without the token, by which the page's script replaces it in the
    address bar. The second shows the link that this browser opened last, so that the page can be reloaded.

    A browser that has used the link is redirected when it opens it again.
    """

    purpose: ClassVar[Purpose]
    request_endpoint: ClassVar[str]
    """The endpoint where a customer requests such a link."""
    used_endpoint: ClassVar[str] = "account.home"
    """The endpoint where a browser is redirected that has used the link before."""
    used_notice: ClassVar[str | None] = None
    """The notice for a browser that has used the link before."""
    used_form_notice: ClassVar[str | None] = None
    """The notice for such a browser if it sends the form once more."""

    def get(self, token: str | None = None) -> ResponseReturnValue:
        """Show the page of a link, or without a token that of the link opened last."""
        token = token or self._last_opened_token()
        if token is None:
            return redirect(url_for(self.request_endpoint))
        try:
            page = super().get(token=token)
        except LinkUsed as used:
            return self.redirect_used(used)
        emailed_links.remember_opened_link(self.purpose, token.partition(".")[0])
        return page

    def post(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        try:
            return super().post(*args, **kwargs)
        except LinkUsed as used:
            return self.submit_again(used)

    def show_stale(self, *args: Any, **kwargs: Any) -> ResponseReturnValue:
        """Show the form again, or redirect a browser that has used the link in another tab."""
        try:
            return super().show_stale(*args, **kwargs)
        except LinkUsed as used:
            if not was_sent_by_our_page():
                raise
            return self.redirect_used(used)

    def submit_again(self, used: LinkUsed) -> ResponseReturnValue:
        """Respond to the form of a link that was used before; raises LinkUsed in another browser."""
        return self.redirect_used(used)

    def _last_opened_token(self) -> str | None:
        public_id = emailed_links.last_opened_link(self.purpose)
        return public_id and current_context().signer.token(self.purpose, public_id)

    def redirect_used(self, used: LinkUsed) -> ResponseReturnValue:
        """Redirect the browser that used the link, unless another customer is signed in now; else raise LinkUsed."""
        customer = session.current_customer()
        if not emailed_links.has_used_link(used.link.public_id) or (customer and customer.id != used.link.contact_id):
            raise used
        if request.method == "POST" and self.used_form_notice:
            session.set_notice(self.used_form_notice, is_done=False)
        elif self.used_notice:
            session.set_notice(self.used_notice)
        return redirect(url_for(self.used_endpoint))
