"""Folders that get what is made for them all at once: it is made beside, in a part, and then takes its names."""

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
from pathlib import Path

from tfgans import files


@contextlib.contextmanager
def part_of(folder, name):
    """A folder in `folder`, which is made, for what is not whole yet; its name begins with `name`.

    It goes at the end, and with it `folder`, and those above it, if they are new and empty; so does what a process
    that was killed left. What one that lives is making stays.
    """
    folder = Path(folder)
    with files.in_folder(folder):
        for left in folder.glob(f"{glob.escape(name)}*"):
            # Not if another has it, or the file system has no locks.
            with contextlib.suppress(OSError), _locked(left):
                shutil.rmtree(left, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=name, dir=folder))
        files.open_parts.add(part)
        try:
            with contextlib.ExitStack() as stack:
                with contextlib.suppress(OSError):
                    stack.enter_context(_locked(part))
                yield part
        except BaseException:
            files.wait_if_ending()
            raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
            files.open_parts.discard(part)


@contextlib.contextmanager
def _locked(folder):
    """Keeps a folder locked. Raises: OSError if another process has it locked, or it cannot be."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def put(made, earlier, part):
    """Moves what was made in a part to its names beside that, where `earlier` makes room for it.

    All of it by renaming: whoever is killed meanwhile leaves no file half there, and next to no time for it.

    Args:
        made: paths in the part, in the order in which they are moved.
        earlier: paths beside the part, files or folders; they go with it.
        part: the folder that `part_of` has given.
    """
    aside = part / ".earlier"
    aside.mkdir()
    for path in earlier:
        path.rename(aside / path.name)
    for path in made:
        path.rename(part.parent / path.name)
