"""The tables of one-time links, changes of address, identities, hand-over codes, devices, second step and passkeys."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    LargeBinary,
    Named,
    String,
    Table,
    TypedColumns,
    UniqueConstraint,
)

from portal.storage.models.base import METADATA, STRING_LENGTH, UtcDateTime, contact_key

CREDENTIAL_ID_LENGTH = 1023
"""Bytes; the most that WebAuthn allows."""


class LinkColumns(TypedColumns):
    """A one-time link. The emailed token is a signature over `public_id`, so the row contains no secret."""

    id: Named[int] = Column(primary_key=True)
    public_id: Named[str] = Column(String(32), unique=True)
    purpose: Named[str] = Column(String(16))
    contact_id: Named[int | None] = contact_key()
    """None for an unknown address: the row is a decoy, to keep the timing the same."""
    registration_id: Named[int | None] = Column(ForeignKey("registration.id", ondelete="CASCADE"), index=True)
    email: Named[str | None] = Column(String(STRING_LENGTH))
    """The address that the link proves; the link is invalid after a change of the contact's address."""
    code_tries: Named[int] = Column(default=0)
    """The number of attempts to enter its code, right or wrong."""
    created_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime] = Column(UtcDateTime)
    used_at: Named[datetime | None] = Column(UtcDateTime)
    ended_at: Named[datetime | None] = Column(UtcDateTime)


Link = Table("link", METADATA, LinkColumns)


class AddressChangeColumns(TypedColumns):
    """A change of a customer's email address: requested, made or undone, as its two links say.

    The link to the new address confirms it, and then the link to the old one undoes it. The row is deleted with the
    first of them. Until the second has ended, no other customer can claim the old address (domain/address_changes.py).
    """

    id: Named[int] = Column(primary_key=True)
    contact_id: Named[int] = contact_key()
    identity_id: Named[int | None] = Column(ForeignKey("identity.id", ondelete="SET NULL"), index=True)
    """The session that requested it, in which the code can be entered."""
    link_id: Named[int] = Column(ForeignKey("link.id", ondelete="CASCADE"), unique=True)
    undo_link_id: Named[int | None] = Column(ForeignKey("link.id", ondelete="CASCADE"), unique=True)
    old_email: Named[str] = Column(String(STRING_LENGTH))
    old_email_key: Named[str] = Column(String(STRING_LENGTH), index=True)
    new_email: Named[str] = Column(String(STRING_LENGTH))
    new_email_key: Named[str] = Column(String(STRING_LENGTH), index=True)
    requested_at: Named[datetime] = Column(UtcDateTime)
    changed_at: Named[datetime | None] = Column(UtcDateTime)


AddressChange = Table("address_change", METADATA, AddressChangeColumns)


class IdentityColumns(TypedColumns):
    """An identity (session), stored as the digest of the session cookie's value or the API's `identityId`."""

    id: Named[int] = Column(primary_key=True)
    contact_id: Named[int] = contact_key()
    digest: Named[bytes] = Column(LargeBinary(32), unique=True)
    remember: Named[bool] = Column("kept")
    """Whether the customer chose "remember me"."""
    family: Named[str | None] = Column("bond", String(32), index=True)
    """The session family: identities that were handed over from one another, and end together."""
    started_by: Named[bytes | None] = Column(LargeBinary(32))
    """For a sign-in by a reset: the digest of its link and browser, to recognise the same form if it is sent again."""
    ip: Named[str | None] = Column(String(45))
    user_agent: Named[str | None] = Column(String(STRING_LENGTH))
    channel: Named[str] = Column(String(8), server_default="browser")
    """Where it is used: in a browser, in a frame on another site, or by a shop's server."""
    proved_at: Named[datetime | None] = Column(UtcDateTime)
    """When its holder last proved to be the customer, by the password, a passkey or the mailbox."""
    second_step_at: Named[datetime | None] = Column(UtcDateTime)
    """When its holder last passed the second step."""
    created_at: Named[datetime] = Column(UtcDateTime)
    """When the session began. If a session goes on with another identity (`NewIdentity.next_of`), that keeps it."""
    seen_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime] = Column(UtcDateTime)
    """The end of the absolute lifetime."""
    ended_at: Named[datetime | None] = Column(UtcDateTime)


Identity = Table("identity", METADATA, IdentityColumns)


class HandoverColumns(TypedColumns):
    """A code by which a shop's server gets an identity of its own for a customer who signed in on its page."""

    id: Named[int] = Column(primary_key=True)
    identity_id: Named[int] = Column(ForeignKey("identity.id", ondelete="CASCADE"), index=True)
    digest: Named[bytes] = Column(LargeBinary(32), unique=True)
    nonce: Named[str] = Column(String(STRING_LENGTH))
    """Generated by the shop's page for this sign-in; its server must send the same."""
    expires_at: Named[datetime] = Column(UtcDateTime)
    used_at: Named[datetime | None] = Column(UtcDateTime)


Handover = Table("handover", METADATA, HandoverColumns)


class DeviceColumns(TypedColumns):
    """A known device of a customer, with its own rate limits: a browser, or a network behind a shop's server.

    The random value of the cookie is stored as a digest. A browser of several customers has one cookie, and one row for
    each of them.
    """

    id: Named[int] = Column(primary_key=True)
    contact_id: Named[int] = contact_key()
    digest: Named[bytes] = Column(LargeBinary(32))
    failed_passwords: Named[int] = Column(default=0)
    """Consecutive wrong passwords from this device, over any time."""
    failed_codes: Named[int] = Column(default=0, server_default="0")
    """Consecutive wrong codes of an authenticator app from this device, over any time."""
    trusted_until: Named[datetime | None] = Column(UtcDateTime)
    """Until when this browser signs in without the second step."""
    created_at: Named[datetime] = Column(UtcDateTime)
    seen_at: Named[datetime] = Column(UtcDateTime)
    """The last sign-in with it, to within a day."""


Device = Table("device", METADATA, DeviceColumns, UniqueConstraint("digest", "contact_id"))


class SecondStepColumns(TypedColumns):
    """The authenticator app of a customer. A customer with this row signs in with a second step."""

    contact_id: Named[int] = Column(ForeignKey("contact.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)
    secret: Named[str] = Column(String(STRING_LENGTH))
    """Encrypted (domain/secret_box.py)."""
    key_id: Named[str] = Column(String(16))
    """The key that it is encrypted with."""
    last_time_step: Named[int]
    """The time step of the last code that was accepted; only later ones are."""
    failed_codes: Named[int] = Column(default=0)
    """Consecutive wrong codes, over any time, from unknown devices."""
    created_at: Named[datetime] = Column(UtcDateTime)


SecondStep = Table("second_step", METADATA, SecondStepColumns)


class RecoveryCodeColumns(TypedColumns):
    """A code that replaces the authenticator app once, stored as a digest."""

    id: Named[int] = Column(primary_key=True)
    contact_id: Named[int] = contact_key()
    digest: Named[bytes] = Column(LargeBinary(32))
    created_at: Named[datetime] = Column(UtcDateTime)
    used_at: Named[datetime | None] = Column(UtcDateTime)


RecoveryCode = Table("recovery_code", METADATA, RecoveryCodeColumns)


class PendingSignInColumns(TypedColumns):
    """A sign-in that waits for its second step; the value in the browser's cookie is stored as a digest."""

    id: Named[int] = Column(primary_key=True)
    contact_id: Named[int] = contact_key()
    digest: Named[bytes] = Column(LargeBinary(32), unique=True)
    remember: Named[bool]
    kind: Named[str] = Column(String(40))
    """The event that the sign-in becomes."""
    created_at: Named[datetime] = Column(UtcDateTime)
    expires_at: Named[datetime] = Column(UtcDateTime)


PendingSignIn = Table("pending_sign_in", METADATA, PendingSignInColumns)


class PasskeyColumns(TypedColumns):
    """A passkey of a customer (WebAuthn): the public key, and what the authenticator has reported of it."""

    id: Named[int] = Column(primary_key=True)
    contact_id: Named[int] = contact_key()
    credential_id: Named[bytes] = Column(LargeBinary(CREDENTIAL_ID_LENGTH), unique=True)
    user_handle: Named[bytes] = Column(LargeBinary(32))
    """Random, and the same in all passkeys of a customer: authenticators store it to recognise the account."""
    public_key: Named[bytes] = Column(LargeBinary)
    """A COSE key."""
    sign_count: Named[int] = Column(BigInteger)
    """The highest counter that the authenticator has sent; 0 for one that does not count."""
    aaguid: Named[str] = Column(String(36))
    """The kind of authenticator."""
    name: Named[str | None] = Column(String(STRING_LENGTH))
    transports: Named[list[str]] = Column(JSON)
    can_sync: Named[bool]
    """Whether it may be copied to other devices (backup eligibility), which never changes."""
    is_synced: Named[bool]
    """Whether it was copied (backup state), as of its last use."""
    created_at: Named[datetime] = Column(UtcDateTime)
    last_used_at: Named[datetime | None] = Column(UtcDateTime)


Passkey = Table("passkey", METADATA, PasskeyColumns)


class UsedChallengeColumns(TypedColumns):
    """A challenge that a passkey has answered, by its digest, so that no answer is accepted twice."""

    id: Named[int] = Column(primary_key=True)
    digest: Named[bytes] = Column(LargeBinary(32), unique=True)
    expires_at: Named[datetime] = Column(UtcDateTime)


UsedChallenge = Table("used_challenge", METADATA, UsedChallengeColumns)
