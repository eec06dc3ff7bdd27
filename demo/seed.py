"""Create two organisations and a few customers for the demo."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher

Command = Callable[..., str]
"""Runs a command of the portal, optionally with standard input, and returns its output."""


@dataclass(frozen=True)
class Customer:
    """A customer of the demo; None as password for one without a password."""

    organisation: str
    email: str
    first_name: str
    last_name: str
    password: str | None


GLASS = "glass"
CUSTOMERS = (
    Customer("default", "ada@example.com", "Ada", "Quill", "violet harbour kettle 41"),
    Customer("default", "sean@example.com", "Sean", "Moss", None),
    Customer(GLASS, "jana@example.com", "Jana", "Nováková", "modrá karafa zvoní 88"),
    Customer(GLASS, "ada@example.com", "Ada", "Quill", "gravel mitten orchard 87"),
)


def seed(portal: Command, shop_url: str, glass_host: str) -> None:
    """Create what does not exist yet: a demo that is started again keeps its data."""
    origins = ("--frame-ancestor", shop_url, "--return-origin", shop_url, "--handover-url", f"{shop_url}/")
    portal("organisation", "set", "default", "--name", "Kettle & Leaf", "--accent", "3f6b35", *origins)
    has_glass = any(line.split()[:1] == [GLASS] for line in portal("organisation", "list").splitlines())
    looks = ("--name", "Sklo & světlo", "--hostname", glass_host, "--accent", "8a2be2", "--locale", "cs")
    portal("organisation", "set" if has_glass else "add", GLASS, *looks, "--support-email", "pomoc@example.com")
    for slug in ("default", GLASS):
        known = portal("customer", "list", "--organisation", slug)
        rows = [_row(one) for one in CUSTOMERS if one.organisation == slug and one.email not in known]
        if rows:
            portal("customer", "import", "-", "--organisation", slug, stdin="\n".join(map(json.dumps, rows)))


def _row(customer: Customer) -> dict[str, str]:
    row = {"email": customer.email, "firstName": customer.first_name, "lastName": customer.last_name}
    if customer.password is not None:
        row["passwordHash"] = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(customer.password)
    return row
