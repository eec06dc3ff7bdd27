"""What all tables stand on: kinds of columns, names of constraints."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, ForeignKey, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

STRING_LENGTH = 255
LOCALE_LENGTH = 35
"""What RFC 5646, 4.4.1 wants there to be room for."""
USER_AGENT_LENGTH = 255


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, whatever the database can keep (SQLite keeps no time zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, and without its zone where the database has none."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        """Aware again, in UTC."""
        if value is None:
            return None
        found: datetime = value
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that a migration can name it again."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), str: String(STRING_LENGTH), bytes: LargeBinary()}


def contact_key(**options: Any) -> Any:
    """A column that refers to a contact, and goes with it."""
    return mapped_column(ForeignKey("contact.id", ondelete="CASCADE"), index=True, **options)
