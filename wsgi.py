"""The application object that the command line loads."""

from portal import cli
from portal.cli.starting import load_app

app = load_app()
cli.init_app(app)
