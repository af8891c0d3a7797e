"""Whether there is a place for what a command writes, asked before its work begins."""

from tfgans import files, readers
from tfgans.config import ConfigError


def require_place(folder, name):
    """As `files.check_place`. Raises: ConfigError in one line, with the `name` of what would be written there."""
    try:
        files.check_place(folder)
    except OSError as error:
        raise ConfigError(f"{name} cannot be written: {readers.reason(error)}") from error
