"""The base class of the tables, column types and names of constraints."""

from datetime import UTC, datetime
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Any, ClassVar, NamedTuple, get_args

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator, TypeEngine

STRING_LENGTH = 255
LOCALE_LENGTH = 35
"""The minimum of RFC 5646, 4.4.1."""
USER_AGENT_LENGTH = 255


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also on SQLite, which stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_TYPES = {bool: Boolean(), bytes: LargeBinary(), datetime: UtcDateTime(), int: Integer(), str: String(STRING_LENGTH)}
"""The types of columns that are declared without one, by the type of their values."""


class _Declared(NamedTuple):
    """The arguments of a Column."""

    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = {}


def column(*arguments: Any, **options: Any) -> Any:
    """Declare a column of a table with the arguments of SQLAlchemy's Column, all of which are optional."""
    return _Declared(arguments, options)


def contact_key() -> Any:
    """Declare a foreign key to a contact; the row is deleted with the contact."""
    return column(ForeignKey("contact.id", ondelete="CASCADE"), index=True)


class Base:
    """The base of all tables. The columns of a table are attributes of its class, and statements take the class.

    The name of a column is that of its attribute. Its nullability comes from the annotation, and its type, too, unless
    it is declared. (The annotation is a ColumnClause, since type checkers refuse to read a Column from a class.) Every
    constraint has a name, so that migrations can refer to it. SQLAlchemy's own base class would load its ORM, which
    takes 7 MiB of memory.
    """

    metadata: ClassVar = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    __tablename__: ClassVar[str]
    __table_args__: ClassVar[tuple[SchemaItem, ...]] = ()
    __table__: ClassVar[Table]

    def __init_subclass__(cls) -> None:
        """Build the table of a class."""
        columns = [
            _build(name, get_args(annotation)[0], getattr(cls, name, _Declared()))
            for owner in cls.__mro__
            if owner is not Base
            for name, annotation in get_annotations(owner).items()
        ]
        cls.__table__ = Table(cls.__tablename__, cls.metadata, *columns, *cls.__table_args__)
        for each in columns:
            setattr(cls, each.key, each)

    @classmethod
    def __clause_element__(cls) -> Table:
        """Return the table, for SQLAlchemy."""
        return cls.__table__


def _build(name: str, values: Any, declared: _Declared) -> Column[Any]:
    kinds = get_args(values) if isinstance(values, UnionType) else (values,)
    options = {"name": name, "key": name, "nullable": NoneType in kinds, **declared.options}
    if not any(isinstance(argument, TypeEngine | type) for argument in declared.arguments):
        options["type_"] = _TYPES[kinds[0]]
    return Column(*declared.arguments, **options)
