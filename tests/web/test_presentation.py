"""The variables of templates."""

from tests.web.conftest import Site


def test_a_relative_endpoint_is_one_of_the_pages_own_blueprint(site: Site) -> None:
    """Operators may use them in templates of their own."""
    link = site.app.jinja_env.from_string("{{ url_for('.index') }}")
    for path in ("/account/passkeys", "/account/sessions"):
        with site.app.test_request_context(path):
            assert link.render() == path
