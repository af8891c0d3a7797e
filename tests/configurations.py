"""The experiments: their flags by the table in docs/configurations.md, and what READMEs say; commands of pages."""

import pathlib
import re
import shlex
import subprocess

import gin

from tfgans.run import build

ROOT = pathlib.Path(__file__).parent.parent
CONFIGS = ROOT / "gin_configs"
# Of configurations that leave them to the data, which tests do not have: as if these were images of 64x64 in colour.
AUTO = {
    "resolution": 64, "channels": 3, "num_classes": None, "batch_size": 8, "r1_weight": 0.1, "ema_half_life": 2500.0,
    "channel_multiplier": 1, "learning_rate": 0.0025, "minibatch_group": 4, "updates": 3125000,
}  # fmt: skip
PARTS = ("data", "networks", "losses", "presets")  # folders of files that are no experiments
FLAG = re.compile(r"--gin_param=(?:\"([^\"]+)\"|'([^']+)'|(\S+))")


def _rows():
    """`{experiment: (gin files, bindings)}`, in the order of the table."""
    text = (ROOT / "docs/configurations.md").read_text()
    found = {}
    for name, line in re.findall(r"^\| `([\w/]+)` \| `(--.+)` \|$", text, re.MULTILINE):
        assert name not in found, f"{name} has two rows"
        flags = [word.partition("=") for word in shlex.split(line)]
        assert {flag for flag, _, _ in flags} <= {"--gin_file", "--gin_param"}, name
        files, bindings = (
            [value for flag, _, value in flags if flag == kind] for kind in ("--gin_file", "--gin_param")
        )
        found[name] = files, bindings + given_for_auto(ROOT / path for path in files)
    return found


def given_for_auto(paths):
    """Bindings in place of what gin files leave to the data."""
    left = set(with_includes(paths))
    texts = "".join(path.read_text() for path in left)
    return [f"{name} = {value}" for name, value in AUTO.items() if f'\n{name} = "auto"\n' in texts]


def _notes():
    """`{experiment: what its folder's README says of it}`."""
    found = {}
    for path in sorted(CONFIGS.glob("*/README.md")):
        table = path.read_text().split("| experiment | what, target, notes |\n|---|---|\n")[1]
        for line in table.splitlines():
            row = re.fullmatch(r"\| `(\w+)` \| (.+) \|", line)
            if not row:
                break
            found[f"{path.parent.name}/{row[1]}"] = row[2]
    return found


def includes(path):
    """The names of the files that a gin file includes."""
    return re.findall(r'^include "(.+)"', path.read_text(), re.MULTILINE)


def with_includes(paths):
    """Gin files, and all that they include."""
    found, left = set(), set(paths)
    while left:
        found |= left
        left = {ROOT / name for path in left for name in includes(path)} - found
    return found


ROWS, NOTES = _rows(), _notes()


def used():
    """The files of the experiments, those that they include among them."""
    return with_includes(ROOT / path for files, _ in ROWS.values() for path in files)


def of(name):
    """What the parsed configuration binds to a parameter, a macro's value in its place."""
    value = gin.query_parameter(name)
    if isinstance(value, gin.config.ConfigurableReference) and value.config_key[1] == "gin.macro":
        return value.scoped_configurable_fn()
    return value


def prepare(name, *bindings):
    """Parses an experiment and bindings besides; returns `of`."""
    files, own = ROWS[name]
    build.prepare(files, [*own, *bindings])
    return of


def lines():
    """A binding a line, of what was parsed."""
    text = gin.config_str(max_line_length=10_000).splitlines()
    return [line for line in text if line and not line.startswith("#")]


def comment(path):
    """The comments of a gin file, as one text."""
    text = (ROOT / path).read_text()
    return " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))


def plainest(path):
    """The experiment that a file's comments are about: that with the fewest files and bindings besides."""
    return min((name for name in ROWS if path in ROWS[name][0]), key=lambda name: len(sum(ROWS[name], [])))


def promised(name):
    """The values of `--gin_param` in what is said of an experiment, without quotes and what ends a sentence."""
    files = [path for path in ROWS[name][0] if path.split("/")[1] not in PARTS and plainest(path) == name]
    text = " ".join([NOTES[name].replace("`", " "), *map(comment, files)])
    found = [double or single or plain.rstrip(".,:;") for double, single, plain in FLAG.findall(text)]
    return list(dict.fromkeys(found))


def commands(path):
    """The arguments of each command that a page has in a block of its own, as a shell hands them on."""
    text = path.read_text()
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    blocks = [block for language, block in fenced if language in ("", "sh")]
    blocks += re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    script = "\n".join(block for block in blocks if "python launch/" in block)
    script = re.sub(r"(?:\.venv/bin/)?python (?=launch/|benchmarks/)", "python ", script)
    said = "python() { printf '%s\\0' \"$@\"; printf '\\n'; }\n"
    nothing_else = {"PATH": "/nonexistent"}  # a page's other commands are not run
    done = subprocess.run(
        ["/bin/bash", "-u", "-c", said + script], capture_output=True, text=True, env=nothing_else
    )
    found = [line.split("\0")[:-1] for line in re.split(r"(?<=\0)\n", done.stdout) if line]
    return [words for words in found if words[0].startswith(("launch/", "benchmarks/"))]
