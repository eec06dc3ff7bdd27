"""A sign-in as a tutorial writes it: Flask-Login, Flask-WTF, Flask-SQLAlchemy and argon2-cffi, without a reset."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from flask import Flask, flash, redirect, render_template
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from wtforms import BooleanField, EmailField, PasswordField, SubmitField
from wtforms.validators import DataRequired, Email


class Base(DeclarativeBase):
    """The models."""


db = SQLAlchemy(model_class=Base)
logins = LoginManager()
hasher = PasswordHasher(**json.loads(os.environ["BENCH_ARGON2"]))


class User(UserMixin, db.Model):
    """A customer."""

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]


class LoginForm(FlaskForm):
    """The sign-in form."""

    email = EmailField("Email", validators=[DataRequired(), Email()])
    password = PasswordField("Password", validators=[DataRequired()])
    remember = BooleanField("Remember me")
    submit = SubmitField("Sign in")


@logins.user_loader
def load_user(user_id: str) -> User | None:
    user: User | None = db.session.get(User, int(user_id))
    return user


def create_app() -> Flask:
    """Create the application, and its table if there is none."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "for-this-benchmark-only"
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{Path(os.environ['BENCH_FOLDER'], 'tutorial.sqlite3')}"
    db.init_app(app)
    logins.init_app(app)
    logins.login_view = "log_in"
    with app.app_context():
        db.create_all()

    @app.route("/login", methods=["GET", "POST"])
    def log_in() -> ResponseReturnValue:
        form = LoginForm()
        if form.validate_on_submit():
            user = db.session.execute(db.select(User).filter_by(email=form.email.data)).scalar_one_or_none()
            if user is not None and verifies(user.password_hash, form.password.data or ""):
                login_user(user, remember=form.remember.data)
                return redirect("/account")
            flash("Wrong email or password.")
        return render_template("login.html", form=form)

    @app.get("/account")
    @login_required
    def account() -> str:
        return render_template("account.html", user=current_user)

    return app


def verifies(password_hash: str, password: str) -> bool:
    try:
        return hasher.verify(password_hash, password)
    except VerificationError:
        return False


def create_customers(emails: Sequence[str], password: str) -> None:
    """Create customers who all have the same password."""
    password_hash = hasher.hash(password)
    with create_app().app_context():
        db.session.add_all(User(email=email, password_hash=password_hash) for email in emails)
        db.session.commit()
