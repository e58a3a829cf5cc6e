"""The application object that the server and the command line load."""

import sys

from config_env_file import load_env_file
from config_values import ConfigurationError
from portal import cli
from portal.app import create_app

try:
    load_env_file()
    app = create_app()
    cli.init_app(app)
except ConfigurationError as error:
    sys.exit(f"The portal does not start: {error}")
