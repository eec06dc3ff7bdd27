"""Flask-Security with its own pages, as its quick start has it, and an account page."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from flask import Flask, render_template
from flask_mail import Mail, Message, email_dispatched
from flask_security import Security, SQLAlchemyUserDatastore, auth_required, current_user, hash_password
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy

_FOLDER = Path(os.environ["BENCH_FOLDER"])
db = SQLAlchemy()
fsqla_v3.FsModels.set_db_info(db)


class Role(db.Model, fsqla_v3.FsRoleMixin):
    """A role."""


class User(db.Model, fsqla_v3.FsUserMixin):
    """A customer."""


security = Security(datastore=SQLAlchemyUserDatastore(db, User, Role))


def create_app() -> Flask:
    """Create the application, and its tables if there are none."""
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="for-this-benchmark-only",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{_FOLDER / 'security.sqlite3'}",
        SECURITY_PASSWORD_SALT="for-this-benchmark-only",
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={
            f"argon2__{name}": value for name, value in json.loads(os.environ["BENCH_ARGON2"]).items()
        },
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},  # example.com takes no email, by its DNS
        SECURITY_POST_LOGIN_VIEW="/account",
        SECURITY_RECOVERABLE=True,
        SECURITY_RETURN_GENERIC_RESPONSES=True,  # the same answer for known and unknown addresses
        MAIL_SUPPRESS_SEND=True,
        MAIL_DEFAULT_SENDER="portal@example.com",
    )
    db.init_app(app)
    Mail(app)
    security.init_app(app)
    email_dispatched.connect(_write)
    with app.app_context():
        db.create_all()

    @app.get("/account")
    @auth_required("session")
    def account() -> str:
        return render_template("account.html", user=current_user)

    return app


def _write(_app: Flask, message: Message) -> None:
    """Write an email to a file, in place of sending it."""
    _FOLDER.joinpath("security-emails", uuid4().hex).write_bytes(message.as_bytes())


def create_customers(emails: Sequence[str], password: str) -> None:
    """Create customers who all have the same password."""
    with create_app().app_context():
        password_hash = hash_password(password)
        for email in emails:
            security.datastore.create_user(email=email, password=password_hash)
        security.datastore.commit()
