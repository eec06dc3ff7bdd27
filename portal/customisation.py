"""An operator's own templates and translations: files in the instance that override the portal's by name.

`templates/login/login.html` in the instance folder replaces the portal's template of that name, and
`templates/sklo/login/login.html` does so for the organisation `sklo` only. An override extends or includes the
portal's own template as `shipped:login/login.html`. Files are read at start.
"""

import logging
import re
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import Translations
from flask import Flask, has_app_context
from flask.templating import Environment
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, Template, TemplateNotFound, TemplateSyntaxError, meta

from portal.settings import WrongSetting

_log = logging.getLogger("portal.customisation")
TEMPLATES = "templates"
TRANSLATIONS = "translations"
_API_TEMPLATES = "api/"
"""The folder of the API's documentation, which another application renders: it cannot be overridden."""
SHIPPED = "shipped:"
"""The prefix that names the portal's own template; an organisation's slug has no colon."""
_PLACEHOLDER = re.compile(r"%\((\w+)\)")
_shipped_only: ContextVar[bool] = ContextVar("shipped_only", default=False)


class _Template(Template):
    """A template that falls back to the portal's own if an override fails, so that customers see no error."""

    def render(self, *args: object, **kwargs: object) -> str:
        """Render the template; if an override may have failed, log it once and render the portal's own instead."""
        environment = cast(OwnEnvironment, self.environment)
        try:
            return super().render(*args, **kwargs)
        except Exception as error:
            if not environment.overrides or _shipped_only.get():
                raise
            place = environment.locate(error)
            if place not in environment.failures:
                environment.failures.add(place)
                _log.error("%s: fails; the portal's own template is shown", place)
            with _without_overrides():
                return environment.get_template(environment.overrides.get(self.name or "", self.name or "")).render(
                    *args, **kwargs
                )


class OwnEnvironment(Environment):
    """A Jinja environment that looks for a template of the organisation, then of the instance, then of the portal."""

    template_class = _Template

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self.folder = Path(app.instance_path) / TEMPLATES
        self.overrides: dict[str, str] = {}
        """The names of the overrides, each with the name of the template that it replaces."""
        self.failures: set[str] = set()
        """The overrides that have failed, with file and line."""
        self.organisation_slug: Callable[[], str] = lambda: ""
        """Returns the slug of the organisation of the current page or email; set by web/presentation.py."""

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, object] | None = None,  # noqa: A002 - Jinja's
    ) -> Template:
        """Load a template, or its override."""
        if self.overrides and isinstance(name, str):
            name = self._resolve(name)
        return super().get_template(name, parent, globals)

    def make_globals(self, d: MutableMapping[str, object] | None) -> MutableMapping[str, object]:
        """Return the globals of a template: the environment's own dict, which each import searches fast."""
        return super().make_globals(d) if d else self.globals

    def _resolve(self, name: str) -> str:
        if name.startswith(SHIPPED) or not has_app_context():
            return name
        if _shipped_only.get():
            return SHIPPED + name
        of_organisation = f"{self.organisation_slug()}/{name}"
        return of_organisation if of_organisation in self.overrides else name

    def locate(self, error: Exception) -> str:
        """Return the override and line that raised an error, and its type; the message may contain secrets."""
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(self.folder))
        ]
        if not frames:
            return f"an override ({type(error).__name__})"
        name = Path(frames[-1].filename).relative_to(self.folder).as_posix()
        return f"{TEMPLATES}/{name} line {frames[-1].lineno} ({type(error).__name__})"

    def unused(self, slugs: set[str]) -> Iterator[str]:
        """Yield the overrides without effect, whose name is of no template of the portal or of no organisation."""
        shipped = {name for name in self.list_templates() if name.startswith(SHIPPED)}
        referenced = {found for name in self.overrides for found in self.references(name)}
        for name, base in sorted(self.overrides.items()):
            if base != name and name.partition("/")[0] not in slugs:
                yield f"{TEMPLATES}/{name}: there is no such organisation"
            elif SHIPPED + base not in shipped and name not in referenced:
                yield f"{TEMPLATES}/{name}: the portal has no template of this name"

    def references(self, name: str) -> Iterator[str]:
        """Yield the templates that an override extends, includes or imports."""
        source = (self.folder / name).read_text("utf-8")
        yield from (found for found in meta.find_referenced_templates(self.parse(source)) if found is not None)


def environment_of(app: Flask) -> OwnEnvironment:
    return cast(OwnEnvironment, app.jinja_env)


def register(app: Flask, shipped: Path) -> None:
    """Add the templates of the instance to an app; `read_overrides` must follow."""
    app.jinja_environment = OwnEnvironment
    overrides = FileSystemLoader(Path(app.instance_path) / TEMPLATES)
    own = FileSystemLoader(shipped)
    app.jinja_loader = ChoiceLoader([overrides, PrefixLoader({SHIPPED[:-1]: own}, delimiter=SHIPPED[-1]), own])


def read_overrides(app: Flask) -> None:
    """Find and compile the templates of the instance; raises WrongSetting for one that does not compile."""
    environment = environment_of(app)
    shipped = {name.removeprefix(SHIPPED) for name in environment.list_templates() if name.startswith(SHIPPED)}
    for path in sorted(environment.folder.rglob("*")):
        name = path.relative_to(environment.folder).as_posix()
        if path.is_file() and not path.name.startswith(".") and not name.startswith(_API_TEMPLATES):
            _, _, rest = name.partition("/")
            environment.overrides[name] = rest if name not in shipped and rest in shipped else name
    for name in environment.overrides:
        _compile(environment, name)


def _compile(environment: OwnEnvironment, name: str) -> None:
    """Compile an override and the templates that it references."""
    try:
        environment.get_template(name)
        for found in environment.references(name):
            environment.get_template(found)
    except TemplateSyntaxError as error:
        raise _invalid(f"{TEMPLATES}/{name}", f"line {error.lineno}: {error.message}") from None
    except TemplateNotFound as error:
        raise _invalid(f"{TEMPLATES}/{name}", f"there is no template {error.name}") from None
    except OSError as error:
        raise _invalid(f"{TEMPLATES}/{name}", error.strerror or "it cannot be opened") from None
    except UnicodeDecodeError:
        raise _invalid(f"{TEMPLATES}/{name}", "it is not UTF-8") from None


@contextmanager
def _without_overrides() -> Iterator[None]:
    token = _shipped_only.set(True)
    try:
        yield
    finally:
        _shipped_only.reset(token)


def read_translations(path: Path, locale: str) -> Translations:
    """Read an operator's catalogue (.po) without its untranslated messages; raises WrongSetting."""
    name = f"{TRANSLATIONS}/{path.relative_to(path.parents[2]).as_posix()}"
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=locale, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        words = f"line {error.lineno}: {error}" if isinstance(error, PoFileError) else str(error)
        raise _invalid(name, " ".join(words.split())) from None
    except OSError as error:
        raise _invalid(name, error.strerror or "it cannot be opened") from None
    for message in list(catalogue):
        if message.id and not all(_forms(message)):
            catalogue.delete(message.id, context=message.context)
        elif message.id and not _has_valid_placeholders(message):
            raise _invalid(name, f"line {message.lineno}: the %(names)s are not those of the text that it translates")
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def _has_valid_placeholders(message: Message) -> bool:
    """Return whether a translation has no other placeholders than its source text."""
    texts = (message.id,) if isinstance(message.id, str) else message.id
    names = {name for text in texts for name in _PLACEHOLDER.findall(text)}
    try:
        for form in _forms(message):
            form % dict.fromkeys(names, 1)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _invalid(name: str, problem: str) -> WrongSetting:
    return WrongSetting("instance_path", f"contains {name}, which cannot be used: {problem}")
