"""The flags that a command defines, for as long as a test looks at them."""

import contextlib

from absl import flags

from tfgans.commands.actions import COMMANDS


@contextlib.contextmanager
def defined(command):
    """Gives `{name: flag}`; absl's own table is afterwards what it was, whatever happens within."""
    before = set(flags.FLAGS)
    try:
        COMMANDS[command][0]()
        yield {name: flags.FLAGS[name] for name in set(flags.FLAGS) - before}
    finally:
        flags.FLAGS.remove_flag_values(set(flags.FLAGS) - before)
