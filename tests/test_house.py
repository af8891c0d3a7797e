"""The rules of the house: imports run one way, nothing is unfinished, and README.md's programs and names work."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

import tfgans

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "tfgans"
MODULES = sorted(PACKAGE.rglob("*.py"))

# What each room may import of the house, besides itself; a leaf's name allows only what stands here.
PARTS = {"losses", "penalties", "layers", "augment", "schedules", "keras_internals", "philox"}
LEAVES = {
    "config", "data", "evaluate", "checkpoint", "distribute", "files", "filling", "inputs", "pictures", "progress",
    "readers", "videos",
}  # fmt: skip
ALLOWED = {
    "errors": set(),
    "xla": {"errors"},
    "environment": {"errors"},
    "readers": {"errors"},
    "files": {"readers"},
    "filling": {"files"},
    "inputs": {"files"},
    "private_names": {"errors"},
    "keras_internals": {"private_names"},
    "config": {"errors", "files", "private_names"},
    "progress": set(),
    "philox": set(),
    "keras_lookup": {"config", "keras_internals"},
    "pictures": {"files"},
    "videos": {"errors", "files", "pictures"},
    "cluster": {"errors"},
    "launchers": {"errors", "cluster"},
    "distribute": {"config", "cluster", "keras_internals"},
    "data": {"config", "files", "readers", "progress"},
    "evaluate": {"config", "files", "readers", "data", "pictures", "progress", "keras_internals", "layers"},
    "checkpoint": {"config", "files", "readers", "distribute"},
    "losses": {"config"},
    "penalties": {"config", "losses"},
    "schedules": {"config", "keras_internals"},
    "layers": {"config", "distribute", "keras_internals"},
    "augment": {"config", "distribute", "layers", "losses"},
    "torch_pickles": set(),
    "networks": PARTS | {"config", "readers", "torch_pickles"},
    "memory": set(),
    "pruning": set(),
    "weight_names": set(),
    "optimizers": {"config", "keras_internals"},
    "gan": PARTS
    | {
        "config",
        "data",
        "distribute",
        "environment",
        "errors",
        "evaluate",
        "files",
        "filling",
        "keras_lookup",
        "readers",
        "weight_names",
        "xla",
    },
    "methods": PARTS | LEAVES | {"networks", "gan", "optimizers", "pruning"},
    "run": PARTS | LEAVES | {"errors", "memory", "networks", "gan", "methods", "optimizers", "weight_names"},
    "compare": PARTS | LEAVES | {"launchers", "networks", "gan", "methods", "run"},
    "commands": LEAVES | {"cluster", "environment", "errors", "launchers", "methods", "run", "compare"},
    "__main__": {"commands"},
    "__init__": {"environment", "keras_lookup"},
}


def room(path):
    """The room of a module: its file at the top of the package, or the folder there."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path):
    """`(line, dotted name)` of everything of the house that a module imports, at its top or anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return [(line, name) for line, name in found if name.split(".")[0] == "tfgans"]


def wrong_imports(path):
    """Imports that run the wrong way, and those from one method's room to another's."""
    own, wrong = room(path), []
    for line, name in imported(path):
        parts = name.split(".")
        target = parts[1] if len(parts) > 1 else "__init__"
        if target != own and target not in ALLOWED.get(own, set()):
            wrong.append(f"{path.relative_to(ROOT)}:{line}: {own} imports {name}")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    assert room(path) in ALLOWED, f"{room(path)} has no place in the order of imports"
    assert wrong_imports(path) == []


def test_the_order_has_no_circle():
    done = set()
    while len(done) < len(ALLOWED):
        ready = {
            name for name, needs in ALLOWED.items() if name not in done and needs & ALLOWED.keys() <= done
        }
        assert ready, f"circle among {sorted(ALLOWED.keys() - done)}"
        done |= ready


def test_a_wrong_import_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path / "tfgans")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "tfgans").mkdir()
    path = tmp_path / "tfgans" / "losses.py"
    path.write_text("import keras\ndef f():\n    from tfgans import gan\nimport tfgans.networks.dcgan\n")
    assert wrong_imports(path) == [
        "tfgans/losses.py:4: losses imports tfgans.networks.dcgan",
        "tfgans/losses.py:3: losses imports tfgans.gan",
    ]


METHOD_ROOMS = sorted({p for p in (PACKAGE / "methods").iterdir() if p.name[0] != "_"})


@pytest.mark.parametrize("place", METHOD_ROOMS, ids=lambda place: place.name)
def test_no_method_imports_another(place):
    own = place.name.removesuffix(".py")
    for path in [place] if place.is_file() else place.rglob("*.py"):
        others = [name for _, name in imported(path) if name.startswith("tfgans.methods.")]
        assert [name for name in others if name.split(".")[2] != own] == []


# Commands about one method's architectures; all else outside the methods' rooms knows them by hooks alone.
ABOUT_ONE_METHOD = ("run/searching.py", "commands/architectures.py")


def test_general_rooms_import_no_particular_method():
    general = [p for p in MODULES if room(p) != "methods" and not p.as_posix().endswith(ABOUT_ONE_METHOD)]
    found = {
        str(path.relative_to(PACKAGE)): name
        for path in general
        for _, name in imported(path)
        if name.startswith("tfgans.methods.") and name != "tfgans.methods.compose"
    }
    assert found == {}


SOURCES = [
    p for part in ("tfgans", "launch", "tests", "benchmarks") for p in sorted((ROOT / part).rglob("*.py"))
]


def test_files_of_tests_have_names_of_their_own():
    """pytest imports them by their last name alone, and stops at the second of two."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))


UNFINISHED = re.compile(
    "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "pytest[.]mark[.]sk" + "ip", "x" + "fail"))
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unfinished(path):
    text = path.read_text()
    assert not UNFINISHED.search(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert "NotImplemented" not in ast.unparse(node.exc), f"line {node.lineno}"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if path.name != "browser.py":  # Chromium is the one thing that `make venv` does not install
                assert called not in ("pytest.sk" + "ip", "pytest.importorsk" + "ip"), f"line {node.lineno}"


def test_files_and_functions_are_short():
    for path in MODULES:
        text = path.read_text()
        assert len(text.splitlines()) <= 350, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                first = node.body[1 if documented and len(node.body) > 1 else 0].lineno
                assert node.end_lineno - first < 45, f"{path}: {node.name}"


# Functions of more arguments than seven that are neither gin's nor constructors of what gin files name.
LONG_SIGNATURES = {
    "compare/run.py: compare_configurations",  # the flags of a command
    "gan/fitting/__init__.py: fit",  # Keras's own
    "networks/parts.py: discriminator_model",  # factories of parts of networks
    "networks/resnet.py: residual_features",
    "networks/resnet.py: residual_generator",
}


def long_signatures(node, configurable=False):
    """Names of the functions inside a node that have more than seven arguments, without those that gin calls."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            yield from long_signatures(child, configurable)
            continue
        decorated = any("configurable" in ast.unparse(decorator) for decorator in child.decorator_list)
        if isinstance(child, ast.FunctionDef):
            given = child.args
            names = [a.arg for a in given.posonlyargs + given.args + given.kwonlyargs]
            called_by_gin = decorated or (configurable and child.name == "__init__")
            if len([name for name in names if name not in ("self", "cls")]) > 7 and not called_by_gin:
                yield child.name
        yield from long_signatures(child, decorated and isinstance(child, ast.ClassDef))


def test_functions_take_few_arguments():
    found = {
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in MODULES
        for name in long_signatures(ast.parse(path.read_text()))
    }
    assert found == LONG_SIGNATURES


def test_a_long_signature_would_be_seen():
    eight = "a, b, c, d, e, f, *, g, h=1"
    text = f"""
@configurable(name="x")
class A:
    def __init__(self, {eight}): pass
    def method(self, {eight}): pass
class B:
    def __init__(self, {eight}): pass
    def short(self, a, b, c, d, e, f, g): pass
@configurable
def made({eight}):
    def inner({eight}): pass
"""
    assert list(long_signatures(ast.parse(text))) == ["method", "__init__", "inner"]


def test_importing_the_package_does_not_import_tensorflow():
    script = (
        "import sys, tfgans, tfgans.config; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", tfgans.__all__)
def test_every_public_name_is_there(name):
    assert getattr(tfgans, name) is not None
    assert name in dir(tfgans)


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tfgans.nothing  # noqa: B018


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/library.md"])
def test_python_of_pages_runs(page, tmp_path):
    """The blocks are one program, as a reader runs them one after the other."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks, f"{page} has no ```python example"
    (tmp_path / "example.py").write_text("\n".join(blocks))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_pages_name_files_that_are_there():
    texts = "".join(page.read_text() for page in PAGES)
    files = set(re.findall(r"(?<![\w/])(?:gin_configs|launch|benchmarks|tests|docs)/[\w/]+\.\w+", texts))
    assert "launch/describe.py" in files  # the pattern finds names at all
    assert {file for file in files if not (ROOT / file).exists()} == set()
