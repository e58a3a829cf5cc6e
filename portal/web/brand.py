"""What the operator put on the portal as their own, for every page."""

from __future__ import annotations

from flask import Flask
from flask_babel import gettext as _
from markupsafe import Markup, escape

from portal.extensions import settings


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
    app.jinja_env.globals.update(brand=app.config["PORTAL"], people=people)
    app.add_template_filter(linked)
