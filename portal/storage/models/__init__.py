"""The database tables, typed: a class declares a table's columns, and statements take them from `table.c`.

The domain uses Core statements on a connection, without a Session: a unit of work costs more than everything else in a
sign-in except the hash (benchmarks/).
"""

from portal.storage.models.base import LOCALE_LENGTH, METADATA, STRING_LENGTH, USER_AGENT_LENGTH, UtcDateTime
from portal.storage.models.contacts import Account, Contact, ContactGroup, FormerPassword, Registration
from portal.storage.models.organisations import ApiKey, Organisation
from portal.storage.models.proofs import (
    CREDENTIAL_ID_LENGTH,
    AddressChange,
    Device,
    Handover,
    Identity,
    Link,
    Passkey,
    PendingSignIn,
    RecoveryCode,
    SecondStep,
    UsedChallenge,
)
from portal.storage.models.records import Event, OutboxMail

__all__ = [
    "CREDENTIAL_ID_LENGTH",
    "LOCALE_LENGTH",
    "METADATA",
    "STRING_LENGTH",
    "USER_AGENT_LENGTH",
    "Account",
    "AddressChange",
    "ApiKey",
    "Contact",
    "ContactGroup",
    "Device",
    "Event",
    "FormerPassword",
    "Handover",
    "Identity",
    "Link",
    "Organisation",
    "OutboxMail",
    "Passkey",
    "PendingSignIn",
    "RecoveryCode",
    "Registration",
    "SecondStep",
    "UsedChallenge",
    "UtcDateTime",
]
