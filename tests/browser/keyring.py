"""Chromium's virtual authenticator: it creates passkeys and responds with them at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import CDPSession, Page

_NO_OFFER = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"


@dataclass
class Keyring:
    """The authenticators of one page. They take part in each of its requests, so at sign-in they respond at once."""

    page: Page
    _devtools: CDPSession = field(init=False)

    def __post_init__(self) -> None:
        self._devtools = self.page.context.new_cdp_session(self.page)
        self._devtools.send("WebAuthn.enable")

    def add(self, *, verifies_user: bool = True, is_synced: bool = False) -> str:
        """Add an authenticator, and return its id. One that cannot verify its user makes no passkey; `put` one in."""
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": verifies_user,
            "isUserVerified": verifies_user,
            "defaultBackupEligibility": is_synced,
            "defaultBackupState": is_synced,
        }
        made = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        authenticator: str = made["authenticatorId"]
        return authenticator

    def verify_user(self, authenticator: str, succeeds: bool) -> None:
        """Let the check of the user succeed, or fail as if it were cancelled."""
        verify = {"authenticatorId": authenticator, "isUserVerified": succeeds}
        self._devtools.send("WebAuthn.setUserVerified", verify)

    def unplug(self, authenticator: str) -> list[dict[str, Any]]:
        """Remove an authenticator, and return its passkeys."""
        credentials = self.credentials(authenticator)
        self._devtools.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": authenticator})
        return credentials

    def put(self, authenticator: str, credentials: list[dict[str, Any]]) -> None:
        """Put passkeys into an authenticator."""
        for credential in credentials:
            put = {"authenticatorId": authenticator, "credential": credential}
            self._devtools.send("WebAuthn.addCredential", put)

    def credentials(self, authenticator: str) -> list[dict[str, Any]]:
        """Return the passkeys of an authenticator."""
        found = self._devtools.send("WebAuthn.getCredentials", {"authenticatorId": authenticator})
        credentials: list[dict[str, Any]] = found["credentials"]
        return credentials

    def answer_only_if_pressed(self) -> None:
        """Let the following pages ask for no passkey by themselves."""
        self.page.add_init_script(_NO_OFFER)

    def detach(self) -> None:
        """Remove all authenticators."""
        self._devtools.send("WebAuthn.disable")
        self._devtools.detach()


@contextmanager
def keyring(page: Page) -> Iterator[Keyring]:
    """Give a page authenticators for the time of a block."""
    made = Keyring(page)
    yield made
    made.detach()
