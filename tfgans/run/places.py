"""Whether there is a place for what a command writes, asked before its work begins."""

import os

from tfgans import files, readers
from tfgans.config import ConfigError


def require_place(folder, name):
    """As `files.check_place`. Raises: ConfigError in one line, with the `name` of what would be written there."""
    try:
        files.check_place(folder)
    except OSError as error:
        raise ConfigError(f"{name} cannot be written: {readers.reason(error)}") from error


def refuse_other_file(path, name, what, is_ours):
    """Leaves a file alone that another command or somebody wrote: a flag may name images, or a run's own files.

    Args:
        path: where a command will write, with the `name` by which a message calls it.
        what: that is replaced, in words. is_ours: `is_ours(path)` says whether the file there is that; it may raise.
    Raises: ConfigError if there is a file of another kind, that is not empty, or a device or a pipe.
    """
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise ConfigError(f"{name} is a device or a pipe, which would be replaced: give the name of a file")
    if not os.path.isfile(path) or not os.path.getsize(path):
        return
    try:
        ours = is_ours(path)
    except Exception:  # it cannot be read as such
        ours = False
    if not ours:
        raise ConfigError(
            f"{name} is there already, and is not {what}, which would be replaced: give another name"
        )
