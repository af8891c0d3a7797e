"""A user's own modules: noted and copied when a run is trained with them, found again when it is taken up.

`code/` in a run's folder has a copy of each module that the configuration imports by gin's `import`, and of the
modules beside it that it imports; `code.json` says where they came from, a list of `{"module", "folder", "files"}`:
the module's name, the folder that Python found it in, and {path below that folder: its SHA-256}. Modules that are
installed, and tfgans's own, are left out.
"""

import ast
import hashlib
import json
import logging
import os
import sysconfig
from pathlib import Path

from tfgans import config, files, readers
from tfgans.config import ConfigError, modules

logger = logging.getLogger(__name__)

_WHAT = "where the run's own code came from (without the file, it is looked for as in a new run)"
_PACKAGE = Path(__file__).resolve().parents[1]


def find_again(folder, first):
    """Has Python look where the modules of a run's folder came from.

    A module that is gone from there is taken from the copy in the run's folder, which a line in the log says.

    Args:
        folder: the run's; without a `code.json` nothing happens.
        first: whether what the run had goes before modules of the same names in the current folder.
    Raises: ConfigError if `code.json` cannot be read.
    """
    kept = read(folder)
    if kept:
        modules.look_here()
    modules.came_from({entry["module"]: str(_file(entry)) for entry in kept})
    copies, places, gone = Path(folder) / "code", [], []
    for entry in kept:
        if _are_in(entry["folder"], entry):
            places.append(entry["folder"])
        elif _are_in(copies, entry):  # else the import says what is missing
            gone.append(str(_file(entry)))
    if gone:
        logger.warning("gone, so that the copy in %s is taken: %s", copies, ", ".join(gone))
        places.append(os.path.abspath(copies))  # behind the others: it has copies of what is not gone, too
    for place in reversed(places) if first else places:
        modules.look_in(place, first)


def _are_in(folder, entry):
    return all((Path(folder) / name).is_file() for name in entry["files"])


def tell_changes(folder):
    """Logs one line for each imported module that is not what the run in a folder was last trained with."""
    then = {entry["module"]: entry["files"] for entry in read(folder)}
    for entry in entries():
        if then.get(entry["module"], entry["files"]) != entry["files"]:
            logger.warning("%s has changed since %s was trained with it", _file(entry), folder)


def write(folder):
    """Notes and copies, into a run's folder, what the parsed configuration imports; nothing if it imports nothing."""
    present = entries()
    if not present:
        return
    folder = Path(folder)
    for entry in present:
        for name in entry["files"]:
            target, text = folder / "code" / name, (Path(entry["folder"]) / name).read_text("utf-8")
            if readers.text_or_none(target) != text:
                target.parent.mkdir(parents=True, exist_ok=True)
                files.write_text(target, text)
    text = json.dumps(_at_their_origin(present, read(folder), folder)) + "\n"
    if readers.text_or_none(folder / "code.json") != text:
        files.write_text(folder / "code.json", text)


def read(folder):
    """What `code.json` of a run's folder says; [] if there is none. Raises: ConfigError if it cannot be read."""
    path = Path(folder) / "code.json"
    if not path.exists():
        return []
    kept = readers.read_json(path, _WHAT)
    with readers.reading(path, _WHAT):
        for entry in kept:
            if not isinstance(entry["module"] + entry["folder"], str) or not isinstance(entry["files"], dict):
                raise ValueError("it says something else")
    return kept


def _at_their_origin(present, kept, folder):
    """`present`, where what was taken from the run's own copy still says where it came from first."""
    before, copies = {entry["module"]: entry["folder"] for entry in kept}, os.path.abspath(folder / "code")
    return [
        entry | {"folder": before.get(entry["module"], copies)} if entry["folder"] == copies else entry
        for entry in present
    ]


def entries():
    """Entries as in `code.json` of the modules that the parsed configuration imports."""
    return [entry for entry in map(_entry, config.imported()) if entry is not None]


def _entry(module):
    path = modules.file_of(module)
    if path is None or path.suffix != ".py" or _is_installed(path):
        return None
    depth = module.count(".") + (path.name == "__init__.py")
    root = path.parents[depth]
    try:
        names = sorted(str(found.relative_to(root)) for found in _with_its_imports(module, root))
        hashes = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names}
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be noted: {config.first_line(error)}") from error
    return {"module": module, "folder": str(root), "files": hashes}


def _is_installed(path):
    places = [
        _PACKAGE,
        *(Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")),
    ]
    return any(path.resolve().is_relative_to(place) for place in places)


def _with_its_imports(module, root):
    """The files below `root` of a module, of the packages it lies in, and of all that these import from there."""
    found, left = set(), [module]
    while left:
        name = left.pop()
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            path = _file_below(root, parts[:count])
            if path is not None and path not in found:
                found.add(path)
                package = parts[:count] if path.name == "__init__.py" else parts[: count - 1]
                left += _imports(path, package)
    return found


def _file_below(root, parts):
    base = root.joinpath(*parts)
    places = (base / "__init__.py", base.with_name(base.name + ".py"))
    found = next((place for place in places if place.is_file()), None)
    return None if found is None or _is_installed(found) else found


def _imports(path, package):
    """Names that a file imports, also those that may be a module's or a name in one; relative ones in full."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _file(entry):
    """The path of an entry's module."""
    base = entry["module"].replace(".", "/")
    names = [name for name in (f"{base}.py", f"{base}/__init__.py") if name in entry["files"]]
    return Path(entry["folder"]) / (names[0] if names else f"{base}.py")
