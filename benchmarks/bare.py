"""The bare references: a Flask page of 3 KB, and a Flask sign-in that only hashes, signs a cookie and redirects.

They have the minimum of a page and of a sign-in: no CSRF token, no rate limits, no events, nothing stored.
"""

import json
import os

from argon2 import PasswordHasher
from flask import Flask, redirect, render_template, request, session
from flask.typing import ResponseReturnValue


def create_app() -> Flask:
    """Create the references as one WSGI application; the environment has a password hash and its cost."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.urandom(32)
    hasher = PasswordHasher(**json.loads(os.environ["BENCH_ARGON2"]))

    @app.get("/login")
    def page() -> str:
        return render_template("page.html", title="Sign in")

    @app.post("/login")
    def log_in() -> ResponseReturnValue:
        hasher.verify(os.environ["BENCH_HASH"], request.form["password"])
        session["email"] = request.form["email"]
        return redirect("/account")

    return app
