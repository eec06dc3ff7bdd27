"""The reference: a sign-in as in Flask's tutorial, with one template and Flask-WTF's CSRF token.

It has only the minimum of a sign-in: one query, one hash of the same cost, one cookie; no rate limits, no events,
nothing stored.
"""

import os
import sqlite3

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect


def create_app() -> Flask:
    """Create the reference as a WSGI application; the environment names its database and the cost of a hash."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.urandom(32)
    CSRFProtect(app)
    time_cost, memory_kib, parallelism = map(int, os.environ["BARE_ARGON2"].split(","))
    hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism)

    def database() -> sqlite3.Connection:
        if "database" not in g:
            g.database = sqlite3.connect(os.environ["BARE_DATABASE"])
            g.database.row_factory = sqlite3.Row
        connection: sqlite3.Connection = g.database
        return connection

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        if "database" in g:
            g.database.close()

    @app.get("/")
    def home() -> str:
        return "Hello"

    @app.route("/login", methods=["GET", "POST"])
    def login() -> ResponseReturnValue:
        problem = None
        if request.method == "POST":
            email = request.form["email"]
            user = database().execute("SELECT * FROM user WHERE email = ?", (email,)).fetchone()
            try:
                if user is not None and hasher.verify(user["password"], request.form["password"]):
                    session.clear()
                    session["user_id"] = user["id"]
                    return redirect(url_for("home"))
            except VerifyMismatchError:
                pass
            problem = "The e-mail or the password is not right."
        return render_template("sign_in.html", problem=problem)

    return app
