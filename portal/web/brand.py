"""What the operator put on the portal as their own, for every page: names, links, the logo and the accent."""

from __future__ import annotations

from hashlib import sha256

from flask import Blueprint, Flask, Response, current_app, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup, escape

from config import Settings
from config_looks import THREAD, Accent, Shades
from portal.extensions import settings

A_YEAR, FIVE_MINUTES = "public, max-age=31536000, immutable", "public, max-age=300"

blueprint = Blueprint("brand", __name__, url_prefix="/brand")


@blueprint.get("/logo")
def logo() -> Response:
    """The operator's logo, or else the mark."""
    if settings.logo is None:
        return current_app.send_static_file("favicon.svg")
    return _kept(settings.logo.content, settings.logo.type, settings.logo.version)


@blueprint.get("/accent.css")
def accent() -> Response:
    """The operator's colour, as a stylesheet after that of the pages."""
    sheet = sheet_of(settings.accent or THREAD)
    return _kept(sheet.encode(), "text/css; charset=utf-8", _version_of(sheet))


def sheet_of(accent: Accent) -> str:
    """The properties of static/app.css that the accent changes."""
    light, dark = (_properties(shades) for shades in (accent.light, accent.dark))
    return f":root {{{light}}}\n@media screen and (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n"


def people() -> Markup | str:
    """Whom to write to: a link to the support, or words for whoever runs the portal."""
    if not settings.support_contact:
        return str(_("the people who run this portal"))
    return Markup('<a href="{}"><bdi>{}</bdi></a>').format(
        settings.support_link, settings.support_contact.removeprefix("https://")
    )


def linked(text: str) -> Markup:
    """A sentence with the support's contact in it as a link."""
    if not settings.support_contact:
        return escape(text)
    return escape(text).replace(escape(settings.support_contact), people())


def init_app(app: Flask) -> None:
    """Offer it to the templates of an application."""
    own: Settings = app.config["PORTAL"]
    sheet = _version_of(sheet_of(own.accent)) if own.accent else ""
    app.jinja_env.globals.update(
        brand=own,
        people=people,
        logo_url=lambda: own.logo and url_for("brand.logo", v=own.logo.version),
        accent_url=lambda: own.accent and url_for("brand.accent", v=sheet),
    )
    app.add_template_filter(linked)


def _properties(shades: Shades) -> str:
    names = {"thread": shades.thread, "thread-deep": shades.deep, "thread-ground": shades.ground}
    return " ".join(f"--{name}: {colour};" for name, colour in {**names, "on-thread": shades.on}.items())


def _version_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _kept(content: bytes, kind: str, version: str) -> Response:
    """An answer that browsers keep: for a year where the address has its version."""
    answer = Response(content, content_type=kind)
    answer.headers["Cache-Control"] = A_YEAR if request.args.get("v") == version else FIVE_MINUTES
    return answer
