"""An operator's own templates and translations: files in the instance that override the portal's by name.

`templates/login/login.html` in the instance is shown in place of the portal's template of that name, and
`templates/sklo/login/login.html` for the organisation `sklo` alone; `shipped:login/login.html` is the portal's own for
whichever extends or includes it. Files are read at start.
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
_OF_API = "api/"
"""Where the page lies that describes the API: an application of its own shows it."""
SHIPPED = "shipped:"
"""What the name of a template begins with that must be the portal's own; in no organisation's slug there is a colon."""
_PLACEHOLDER = re.compile(r"%\((\w+)\)")
_shipped_only: ContextVar[bool] = ContextVar("shipped_only", default=False)


class _Template(Template):
    """A template whose failure in an override is the operator's to read, and not the customer's."""

    def render(self, *args: Any, **kwargs: Any) -> str:
        """Render; where that fails with an override in play, say which once, and render the portal's own instead."""
        environment = cast(OwnEnvironment, self.environment)
        try:
            return super().render(*args, **kwargs)
        except Exception as error:
            if not environment.own or _shipped_only.get():
                raise
            place = environment.place_of(error)
            if place not in environment.failures:
                environment.failures.add(place)
                _log.error("%s fails, the portal's own templates are shown", place)
            with _without_overrides():
                return environment.get_template(environment.own.get(self.name or "", self.name or "")).render(
                    *args, **kwargs
                )


class OwnEnvironment(Environment):
    """Jinja's environment, which prefers the templates of the organisation, then those of the instance."""

    template_class = _Template

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self.folder = Path(app.instance_path) / TEMPLATES
        self.own: dict[str, str] = {}
        """The names of the overrides, and of what each stands for."""
        self.failures: set[str] = set()
        """Which overrides have failed, and where."""
        self.whose: Callable[[], str] = lambda: ""
        """Tells the slug of the organisation whose page or mail is made; the pages put their own way here."""

    def get_template(
        self,
        name: str | Template,
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002 - Jinja's
    ) -> Template:
        """Load a template, or what overrides it."""
        if self.own and isinstance(name, str):
            name = self._chosen(name)
        return super().get_template(name, parent, globals)

    def _chosen(self, name: str) -> str:
        if name.startswith(SHIPPED) or not has_app_context():
            return name
        if _shipped_only.get():
            return SHIPPED + name
        of_organisation = f"{self.whose()}/{name}"
        return of_organisation if of_organisation in self.own else name

    def place_of(self, error: Exception) -> str:
        """The override in which an error arose, with its line, and the kind of error; nothing that it may hold."""
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(self.folder))
        ]
        if not frames:
            return f"an override ({type(error).__name__})"
        name = Path(frames[-1].filename).relative_to(self.folder).as_posix()
        return f"{TEMPLATES}/{name} line {frames[-1].lineno} ({type(error).__name__})"

    def unused(self, slugs: set[str]) -> Iterator[str]:
        """Overrides that are never shown: of no template of the portal's, or of no organisation."""
        shipped = {name for name in self.list_templates() if name.startswith(SHIPPED)}
        referred = {found for name in self.own for found in self.references(name)}
        for name, base in sorted(self.own.items()):
            if base != name and name.partition("/")[0] not in slugs:
                yield f"{TEMPLATES}/{name}: there is no such organisation"
            elif SHIPPED + base not in shipped and name not in referred:
                yield f"{TEMPLATES}/{name}: the portal has no template of this name"

    def references(self, name: str) -> Iterator[str]:
        """The templates that an override names as its parts."""
        source = (self.folder / name).read_text("utf-8")
        yield from (found for found in meta.find_referenced_templates(self.parse(source)) if found is not None)


def environment_of(app: Flask) -> OwnEnvironment:
    """The templates of an app."""
    return cast(OwnEnvironment, app.jinja_env)


def register(app: Flask, shipped: Path) -> None:
    """Let an app use the templates of its instance, once they are read."""
    app.jinja_environment = OwnEnvironment
    own = FileSystemLoader(Path(app.instance_path) / TEMPLATES)
    ours = FileSystemLoader(shipped)
    app.jinja_loader = ChoiceLoader([own, PrefixLoader({SHIPPED[:-1]: ours}, delimiter=SHIPPED[-1]), ours])


def read_overrides(app: Flask) -> None:
    """Read the templates of the instance; raises WrongSetting for one that cannot be shown."""
    environment = environment_of(app)
    shipped = {name.removeprefix(SHIPPED) for name in environment.list_templates() if name.startswith(SHIPPED)}
    for path in sorted(environment.folder.rglob("*")):
        name = path.relative_to(environment.folder).as_posix()
        if path.is_file() and not path.name.startswith(".") and not name.startswith(_OF_API):
            _, _, rest = name.partition("/")
            environment.own[name] = rest if name not in shipped and rest in shipped else name
    for name in environment.own:
        _look_at(environment, name)


def _look_at(environment: OwnEnvironment, name: str) -> None:
    """Read an override and what it refers to."""
    try:
        environment.get_template(name)
        for found in environment.references(name):
            environment.get_template(found)
    except TemplateSyntaxError as error:
        raise _broken(f"{TEMPLATES}/{name}", f"line {error.lineno}: {error.message}") from None
    except TemplateNotFound as error:
        raise _broken(f"{TEMPLATES}/{name}", f"there is no template {error.name}") from None
    except OSError as error:
        raise _broken(f"{TEMPLATES}/{name}", error.strerror or "it cannot be opened") from None
    except UnicodeDecodeError:
        raise _broken(f"{TEMPLATES}/{name}", "it is not UTF-8") from None


@contextmanager
def _without_overrides() -> Iterator[None]:
    token = _shipped_only.set(True)
    try:
        yield
    finally:
        _shipped_only.reset(token)


def read_translations(path: Path, locale: str) -> Translations:
    """Read an operator's catalogue (.po); what it does not translate is left to another. Raises WrongSetting."""
    name = f"{TRANSLATIONS}/{path.relative_to(path.parents[2]).as_posix()}"
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=locale, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        words = f"line {error.lineno}: {error}" if isinstance(error, PoFileError) else str(error)
        raise _broken(name, " ".join(words.split())) from None
    except OSError as error:
        raise _broken(name, error.strerror or "it cannot be opened") from None
    for message in list(catalogue):
        if message.id and not all(_forms(message)):
            catalogue.delete(message.id, context=message.context)
        elif message.id and not _fits(message):
            raise _broken(name, f"line {message.lineno}: the %(names)s are not those of the text that it translates")
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def _forms(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def _fits(message: Message) -> bool:
    """Whether a translation can be filled in with the values of its text."""
    texts = (message.id,) if isinstance(message.id, str) else message.id
    names = {name for text in texts for name in _PLACEHOLDER.findall(text)}
    try:
        for form in _forms(message):
            form % dict.fromkeys(names, 1)
    except (KeyError, TypeError, ValueError):
        return False
    return True


def _broken(name: str, problem: str) -> WrongSetting:
    return WrongSetting("instance_path", f"holds {name}, which cannot be used: {problem}")
