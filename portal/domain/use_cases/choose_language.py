"""Store the language that a customer chose."""

from sqlalchemy import bindparam, update

from portal.domain.context import Context
from portal.domain.identities import Customer
from portal.storage.database import retried
from portal.storage.models import Contact

_set_locale = update(Contact).where(Contact.id == bindparam("of_contact")).values(locale=bindparam("new_locale"))


@retried
def choose_language(context: Context, customer: Customer, tag: str) -> None:
    """Store a customer's language (a BCP 47 tag) for pages and emails."""
    with context.database.write() as connection:
        connection.execute(_set_locale, {"of_contact": customer.id, "new_locale": tag})
