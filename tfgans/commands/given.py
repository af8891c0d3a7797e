"""What flags that several commands share say."""

import re

from absl import flags

FLAGS = flags.FLAGS


def step():
    """The step of a run's checkpoint: a text of digits, `best`, or None."""
    from tfgans.config import ConfigError

    if FLAGS.step is None or FLAGS.step == "best" or re.fullmatch("[0-9]{1,18}", FLAGS.step):
        return FLAGS.step
    raise ConfigError(f"--step is a number of steps or 'best'. Received: {FLAGS.step!r}")


def which():
    """The flags of `run_flags` but the folder, as `run.look.Which` takes them."""
    return dict(
        step=step(),
        gin_params=FLAGS.gin_param,
        part=FLAGS.generator,
        weights=FLAGS.weights,
        standing_statistics=FLAGS.standing_statistics,
    )


def langevin():
    """The flags of `langevin_flags`, by their names. Raises: ConfigError for a rate without steps."""
    from tfgans.config import ConfigError

    if FLAGS["langevin_rate"].present and not FLAGS.langevin_steps:
        raise ConfigError("--langevin_rate is for --langevin_steps")
    return {name: FLAGS[name].value for name in ("langevin_steps", "langevin_rate")}


def refuse_gin_files(message="a run has its own configuration: use --gin_param to change a part of it"):
    """Raises ConfigError if there are --gin_file flags."""
    from tfgans.config import ConfigError

    if FLAGS.gin_file:
        raise ConfigError(message)


def others(*names):
    """All flags of this command that are its own, but these."""
    own = FLAGS.flags_by_module_dict()
    all_of_them = [flag.name for module in own if module.startswith("tfgans.") for flag in own[module]]
    return [name for name in all_of_them if name not in names]


def refuse_flags(names, why):
    """Raises ConfigError if any of these flags is given: as a command is called, they would do nothing."""
    from tfgans.config import ConfigError

    given = [f"--{'no' * (FLAGS[name].value is False)}{name}" for name in names if FLAGS[name].present]
    if given:
        raise ConfigError(f"{why}: leave {', '.join(given)} out")
