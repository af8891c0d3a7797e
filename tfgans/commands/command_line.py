"""The commands, `train` and `search` to `fid` and `classifier`: how they start, and how they end.

`launch/*.py` and the installed command `tfgans` both come here. TensorFlow is imported only once the flags are
read, so that `--help` answers at once.

Exit codes: 0 done; 1 the machine failed, such as a full disk or memory, or another worker did; 2 bad configuration
or input; 3 training diverged; 128 + signal after SIGINT or SIGTERM, with nothing lost that was trained. Each but 0
comes with one line on stderr, below what shows there how far the command has come (`progress`, `signals`). `evaluate`
of a run that cannot be written to prints its numbers, says on stderr what it could not write, and leaves with 0.
"""

import errno
import os
import re
import sys
import warnings

from absl import app, flags, logging

from tfgans import cluster, files, progress
from tfgans.commands import data_flags, picture_flags
from tfgans.commands import flags as command_flags
from tfgans.commands.actions import COMMANDS, SUMMARIES, WITH_ARGUMENTS
from tfgans.commands.words import complain, program
from tfgans.run import signals

FLAGS = flags.FLAGS
# Faults of the path that was given, not of the disk.
_OF_PATHS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG)


def run(command):
    """Runs one command with the flags on the command line; does not return."""
    _open_closed()
    signals.watch(lambda line: signals.write(f"{program()}: {line}"), files.remove_open)
    define, action = COMMANDS[command]
    define()
    for module in (command_flags, data_flags, picture_flags):
        for flag in FLAGS.flags_by_module_dict().get(module.__name__, ()):
            FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    taken = command in WITH_ARGUMENTS
    main = lambda given: sys.exit(_guarded(command, lambda: action(*given[1:])))  # noqa: E731
    app.run(main, flags_parser=lambda arguments: _parse(arguments, taken))


def console():
    """The installed command `tfgans COMMAND --flag=value ...`."""
    _open_closed()
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        asked_for_help = len(sys.argv) > 1 and sys.argv[1] in ("--help", "-h", "help")
        usage = f"usage: tfgans {{{','.join(COMMANDS)}}} [flags]; --help after a command lists its flags"
        _heard(lambda: print(usage, file=sys.stdout if asked_for_help else sys.stderr))
        sys.exit(0 if asked_for_help else 2)
    command = sys.argv.pop(1)
    sys.modules["__main__"].__doc__ = SUMMARIES[command]
    run(command)


def _open_closed():
    """Opens the null device as each of stdin, stdout and stderr that is closed, as by `2>&-`.

    Else the next file that is opened gets its number, and what libraries write there.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for the rest of the process


def _heard(speak):
    """Returns `speak()`, which may write to stdout; ends the command, without a traceback, where that fails."""
    try:
        try:
            return speak()
        finally:
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at the end
        if error.errno != errno.EPIPE:  # of a reader as `head`, who has all they wanted
            complain(f"stdout cannot be written: {error.strerror}")
        sys.exit(1)


def _parse(arguments, taken):
    """The arguments that are no flags, which a command takes or not."""
    try:
        left = _heard(lambda: FLAGS(arguments))  # which writes the help
    except flags.Error as error:
        complain(_in_words(str(error).splitlines()[0]))
        sys.exit(2)
    if FLAGS["help"].value or FLAGS["helpfull"].value:
        return left
    if len(left) > 1 and not taken:
        complain(f"unexpected argument {left[1]!r}; every option is a flag, --name=value")
        sys.exit(2)
    return left


def _in_words(message):
    """What Python says of a flag's value, for those who do not write Python."""
    for said, words in (("invalid literal for int", "not an integer"), ("could not convert", "not a number")):
        message = re.sub(f"{said}.*", words, message)
    return message


def _guarded(command, action):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("MPLBACKEND", "Agg")
    logging.set_verbosity(logging.WARNING)  # libraries' own
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files may be any bytes
    progress.talk()
    from tfgans.config import ConfigError, first_line

    try:
        return _interpreted(command, action)
    except ConfigError as error:
        complain(first_line(error))
        return 2
    except OSError as error:
        gone = error.errno == errno.ENOENT and error.filename is None and _nowhere()
        complain("the working directory is gone: change to one that is there" if gone else first_line(error))
        return 2 if gone or error.errno in _OF_PATHS else 1
    except cluster.WorkerLost as error:
        complain(first_line(error))
        return 1
    except MemoryError as error:
        complain(f"there is not enough memory: {first_line(error)}")
        return 1
    except signals.Interrupted as error:
        complain(f"{error}; the same command goes on from there")
        return 128 + error.number


def _nowhere():
    """Whether the working directory has been removed."""
    try:
        return not os.getcwd()
    except FileNotFoundError:
        return True


def _import_tensorflow(command):
    """TensorFlow, imported without the lines its libraries write to stderr while they load."""
    from tfgans.config import ConfigError, first_line

    try:
        with progress.quiet(), progress.phase(f"{command}: loading TensorFlow"):
            import keras  # noqa: F401 - its settings show here whether they are any good
            import tensorflow

            from tfgans.run import build  # noqa: F401 - brings Keras and most of the house
        return tensorflow
    except Exception as error:
        raise ConfigError(f"TensorFlow and Keras cannot be imported: {first_line(error)}") from error


def _interpreted(command, action):
    """Runs an action; the exceptions that only exist once TensorFlow is loaded become exit codes."""
    from tfgans import environment, launchers
    from tfgans.config import ConfigError, check_file, first_line

    environment.check(command=True)
    if "workers" in FLAGS:
        launchers.settle(FLAGS.workers, FLAGS.task)
    else:
        cluster.forget()  # a job's other processes have no part in this
    if "seeds" not in FLAGS:  # a comparison goes on without a file that is missing
        for path in getattr(FLAGS, "gin_file", None) or ():
            check_file(path)  # before the seconds that TensorFlow takes
    tensorflow = _import_tensorflow(command)
    tensorflow.get_logger().setLevel("ERROR")
    from tfgans import distribute
    from tfgans.run import callbacks

    try:
        return action() or 0
    except tensorflow.errors.OpError as error:
        lost = distribute.told_of_loss(error)
        if lost:
            raise cluster.WorkerLost(lost) from error
        refused = re.search(
            r"\bConfigError: (.+)", error.message
        )  # of a function of ours that tf.data called
        if refused:
            raise ConfigError(refused[1]) from error
        failed = "Summary" in error.message  # one of those that write TensorBoard's files
        if not failed and not isinstance(error, tensorflow.errors.ResourceExhaustedError):
            raise
        said = re.sub(r"\{\{.*?\}\} ?| \[Op:.*", "", first_line(error.message))
        raise OSError(f"TensorBoard's files cannot be written: {said}" if failed else said) from error
    except callbacks.Diverged as error:
        complain(first_line(error))
        return 3
