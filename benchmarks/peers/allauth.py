"""Django with django-allauth's own pages, as its quick start has it, and an account page."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import django
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, include, path

_FOLDER = Path(os.environ["BENCH_FOLDER"])
_COST = json.loads(os.environ["BENCH_ARGON2"])

urlpatterns: list[URLPattern | URLResolver] = []
"""Filled by `_set_up`, since allauth's own patterns read the settings."""


class Argon2Hasher(Argon2PasswordHasher):
    """Argon2id with the portal's parameters."""

    time_cost = _COST["time_cost"]
    memory_cost = _COST["memory_cost"]
    parallelism = _COST["parallelism"]


@login_required
def account(request: HttpRequest) -> HttpResponse:
    return render(request, "account.html")


def create_app() -> WSGIHandler:
    """Create the application."""
    _set_up()
    return WSGIHandler()


def create_customers(emails: Sequence[str], password: str) -> None:
    """Create the tables, and customers who all have the same password and have confirmed their addresses."""
    _set_up()
    call_command("migrate", verbosity=0)
    from allauth.account.models import EmailAddress  # models can't be imported before the settings
    from django.contrib.auth.models import User

    password_hash = make_password(password)
    users = User.objects.bulk_create(User(username=email, email=email, password=password_hash) for email in emails)
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )


def _set_up() -> None:
    settings.configure(
        SECRET_KEY="for-this-benchmark-only",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": _FOLDER / "allauth.sqlite3",
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [Path(__file__).parent / "templates"],
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
        PASSWORD_HASHERS=[f"{__name__}.Argon2Hasher"],
        LOGIN_REDIRECT_URL="/account",
        EMAIL_BACKEND="django.core.mail.backends.filebased.EmailBackend",
        EMAIL_FILE_PATH=_FOLDER / "allauth-emails",
        ACCOUNT_LOGIN_METHODS={"email"},
        ACCOUNT_SIGNUP_FIELDS=["email*", "password1*", "password2*"],
        ACCOUNT_RATE_LIMITS=False,  # they would refuse the benchmark
    )
    django.setup()
    urlpatterns.extend([path("account", account), path("accounts/", include("allauth.urls"))])
