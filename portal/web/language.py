"""Which language a page speaks."""

from flask import Flask, Response, current_app, g, request

from portal.languages import Language, languages_of


def register(app: Flask) -> None:
    """Choose the language of each page of an app, and say in its headers which it is."""
    languages_of(app).choose = _choose

    @app.after_request
    def tell(response: Response) -> Response:
        if "language" in g:
            response.vary.add("Accept-Language")
            response.headers["Content-Language"] = g.language.tag
        return response


def _choose() -> Language:
    languages = languages_of(current_app)
    return languages.find(request.accept_languages.best_match(languages.tags)) or languages.source
