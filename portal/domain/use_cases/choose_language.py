"""Store the language that a customer chose."""

from sqlalchemy import update

from portal.domain.context import Context
from portal.domain.identities import Customer
from portal.storage.database import retried
from portal.storage.models import Contact


@retried
def choose_language(context: Context, customer: Customer, tag: str) -> None:
    """Store a customer's language (a BCP 47 tag) for pages and emails."""
    with context.database.write() as connection:
        connection.execute(update(Contact).where(Contact.c.id == customer.id).values(locale=tag))
