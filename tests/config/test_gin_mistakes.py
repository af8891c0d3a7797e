"""Whatever is wrong with a gin file or a binding is one line that names it, its place, and how it would be right."""

import sys

import pytest

from tfgans import config
from tfgans.config import ConfigError, Count, Function, OneOf, Several, Share, configurable
from tfgans.config import reader as gin_reader


@configurable
def mistaken(
    name: str = "",
    count: Count = 1,
    share: Share = 0.5,
    flag: bool = False,
    precision: OneOf("float32", "mixed_bfloat16") = "float32",
    classes: Several(str) | None = None,
    make: Function("@mistaken") | None = None,
    anything=None,
):
    return name


def refused(files=(), flags=()):
    with pytest.raises(ConfigError) as raised:
        config.parse([str(file) for file in files], flags)
    assert "\n" not in str(raised.value)
    return str(raised.value)


# What follows the parameter's name in a binding; what is said of it after the name; the binding as it would be right,
# or None where that cannot be guessed.
MISTAKES = [
    ("name=folder:x", "a text is written in quotes", 'name="folder:x"'),
    ("name=fid", "a text is written in quotes", 'name="fid"'),
    ("name=folder:~/my images", "a text is written in quotes", 'name="folder:~/my images"'),
    ("name=C:\\images", "a text is written in quotes", 'name="C:\\\\images"'),
    ("name=Ann's", "a text is written in quotes", 'name="Ann\'s"'),
    ("name=a,b", "a text is written in quotes", 'name="a,b"'),
    ("name=x=y", "a text is written in quotes", 'name="x=y"'),
    ("name=“folder:x”", "quotes are straight ones", 'name="folder:x"'),
    ("precision=float32", "a text is written in quotes", 'precision="float32"'),
    ("precision=float16", "is one of float32, mixed_bfloat16", None),
    ("flag=true", "gin writes True", "flag=True"),
    ("classes=none", "gin writes None", "classes=None"),
    ("flag=yes", "is True or False", None),
    ("classes=[cat,dog]", "texts are written in quotes", 'classes=["cat","dog"]'),
    ('classes=[a b, "c"]', "texts are written in quotes", 'classes=["a b", "c"]'),
    ("classes=cat,dog", "a list is written in brackets", 'classes=["cat","dog"]'),
    ("make=mistaken", "a function or class is named with an @", "make=@mistaken"),
    ("share=0,5", "a fraction has a point", "share=0.5"),
    ("share=2,5", "is a number in [0, 1]", None),
    ("count=two", "is an integer of at least 1", None),
    ("count=1 000", "is an integer of at least 1", None),
    ("count=007", "is an integer of at least 1", None),
    ("count=", "has no value: it is an integer of at least 1", None),
    ("anything=", "has no value", None),
    ('classes=["a"', "a bracket [ is not closed", None),
    ('classes="a"]', "nothing opens the bracket ]", None),
    ("classes=(1]", "nothing opens the bracket ]", None),
    ('name="a', 'a quote " is not closed', None),
    ("anything=" + "[" * 3000 + "]" * 3000, "is nested too deeply", None),
]


@pytest.mark.parametrize(("binding", "words", "right"), MISTAKES, ids=[m[0][:30] for m in MISTAKES])
def test_a_value_that_cannot_be_read(tmp_path, binding, words, right):
    shell, name = refused(flags=[f"mistaken.{binding}"]), binding.partition("=")[0]
    assert shell.startswith(f"mistaken.{name}") and words in shell and len(shell) < 400
    (tmp_path / "a.gin").write_text(f"# A comment.\n\nmistaken.{binding}  # another\n", encoding="utf-8")
    file = refused([tmp_path / "a.gin"])
    assert file.startswith(f"{tmp_path}/a.gin, line 3: mistaken.{name}") and words in file
    if right is None:
        assert "--gin_param" not in shell
    else:
        value = right.partition("=")[2]
        assert f", mistaken.{name} = {value}. Received: " in file
        config.parse([], [f"mistaken.{right}"])  # what is shown can be read
        bare = not set(value) & set("\"'[, ")
        quoted = f"mistaken.{right}" if bare else "'" + f"mistaken.{right}".replace("'", "'\"'\"'") + "'"
        assert f", --gin_param={quoted}. Received: " in shell


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mistaken.count", "mistaken.count is no binding: Name.parameter = value"),
        ("= 3", "= 3 is no binding"),
        ("mistaken-count = 3", "mistaken-count = 3 is no binding"),
        ("mistaken.count == 3", "mistaken.count == 3 is no binding: Name.parameter = value, with one '='"),
        ("mistaken.count: 3", "mistaken.count: 3 is no binding"),
        ("\x00", "is no binding"),
        ("mistaken.count = 2.0", "mistaken.count is an integer of at least 1. Received: 2.0"),
        ("mistaken.count = True", "mistaken.count is an integer of at least 1. Received: True"),
        ("mistaken.name = 3", "mistaken.name is a text. Received: 3"),
        ("mistaken.make = 'f'", "mistaken.make is a function or class (such as @mistaken) or None. Received: 'f'"),
        ("mistakn.count = 2", "no configurable is called mistakn: did you mean mistaken?"),
        ("MISTAKEN.count = 2", "no configurable is called MISTAKEN: did you mean mistaken?"),
        ("mistakn.name = x", "no configurable is called mistakn: did you mean mistaken?"),
        ("qqqqqqq.count = 2", "No configurable matching 'qqqqqqq'"),
        ("mistaken.cuont = 2", "mistaken has no parameter 'cuont': did you mean count? Allowed: name, count,"),
        ("mistaken.make = @mistakn", "mistaken.make: no configurable is called @mistakn: did you mean @mistaken?"),
        ("mistaken.make = [@a/mistakn()]", "no configurable is called @mistakn: did you mean @mistaken?"),
        ("size = 2\nmistaken.count = %sise", "mistaken.count: no macro is called %sise: did you mean %size?"),
        ("mistaken.count = %qqqqqqq", "mistaken.count: no macro is called %qqqqqqq"),
        ("a = %b\nb = %a", "a: macros stand for each other in a circle: %b, %a, %b"),
        ("size = 'x'\nmistaken.count = %size", "mistaken.count is an integer of at least 1. Received: 'x' (%size)"),
        ("mistaken:\n  count = two\n", "mistaken.count is an integer of at least 1. Received: two"),
        ("mistaken:\ncount = 2\n", "mistaken: below it stand indented lines"),
        ("mistakn:\n  count = 2\n", "no configurable is called mistakn: did you mean mistaken?"),
        ("include other.gin", 'an included file\'s name is a text in quotes, include "other.gin"'),
        ("import no_such_module", "there is no module no_such_module in "),
        ("import broken_module", "import broken_module: ZeroDivisionError: division by zero"),
        ("import 3", "a module is named as in Python"),
    ],
)  # fmt: skip
def test_a_line_that_says_nothing_there_is(tmp_path, monkeypatch, text, message):
    (tmp_path / "broken_module.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert message in refused(flags=text.split("\n") if text[-1] != "\n" else [text])
    (tmp_path / "a.gin").write_text("\n" + text)
    said = refused([tmp_path / "a.gin"])
    assert message in said and said.startswith(f"{tmp_path}/a.gin, line ")


def test_the_place_is_that_of_the_statement(tmp_path):
    (tmp_path / "part.gin").write_text("\n\nmistaken.share = 3\n")
    (tmp_path / "a.gin").write_text('mistaken.name = "x"\ninclude "part.gin"\n')
    assert refused([tmp_path / "a.gin"]).startswith(f"{tmp_path}/part.gin, line 3: mistaken.share")
    (tmp_path / "part.gin").write_text("mistaken.classes = [\n  'a',\n  b\n]\n")
    assert refused([tmp_path / "a.gin"]).startswith(f"{tmp_path}/part.gin, line 1: mistaken.classes: texts")
    (tmp_path / "part.gin").write_text("mistaken.classes = ['a'\nmistaken.count = 3\n")
    said = refused([tmp_path / "a.gin"])
    assert said.startswith(f"{tmp_path}/part.gin, line 1: mistaken.classes: a bracket [ is not closed")
    (tmp_path / "part.gin").write_text("mistaken.name = 'a'\n")
    said = refused([tmp_path / "a.gin"], ["mistaken.share=3"])  # on the command line, whatever the files say
    assert said == "mistaken.share is a number in [0, 1]. Received: 3"


@pytest.mark.parametrize(
    "data",
    [
        b"mistaken.name = 'x'\r\nmistaken.count = 3\r\n",
        b"\xef\xbb\xbfmistaken.name = 'x'\nmistaken.count = 3",
        b"mistaken.name\t=\t'x'\n\tmistaken.count = 3\n",
        b"mistaken.name = 'x'\rmistaken.count = 3\r",
        b"mistaken:\r\n\tname = 'x'\r\n\tcount = 3\r\n",
        b"  mistaken.name = 'x'  \n\n\n# end\nmistaken.count = 3 # three",
    ],
)
def test_files_of_other_editors_are_read(tmp_path, data):
    (tmp_path / "a.gin").write_bytes(data)
    config.parse([str(tmp_path / "a.gin")])
    assert mistaken() == "x" and config.is_bound("mistaken", "count")


def test_files_that_cannot_be_read(tmp_path, monkeypatch):
    file = tmp_path / "a.gin"
    for data, line in ((b"mistaken.count = 2\nmistaken.name = '\xff'\n", 2), ("a = 1".encode("utf-16"), 1)):
        file.write_bytes(data)
        assert refused([file]) == f"{file}, line {line}: this is not text in UTF-8"
    assert refused([tmp_path]) == f"no such gin file: {tmp_path} is a folder"
    assert refused([f"{file}\x00"]).startswith("no such gin file: ")
    assert refused(["x" * 5000]).startswith("no such gin file: ")
    assert refused([""]).startswith("no such gin file: ")
    assert refused(["gin_configs/quickstrt.gin"]) == (
        "no such gin file: gin_configs/quickstrt.gin: did you mean gin_configs/quickstart.gin? "
        "docs/configurations.md has the flags of each experiment"
    )
    file.write_text("\n\ninclude 'none.gin'\n")
    assert refused([file]) == f"{file}, line 3: no such gin file: none.gin"

    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(gin_reader.Path, "read_bytes", forbidden)
    assert refused([file]) == f"{file} cannot be read: Permission denied"


def test_files_that_include_each_other(tmp_path):
    one, two = tmp_path / "one.gin", tmp_path / "two.gin"
    one.write_text("include 'one.gin'\n")
    said = refused([one])
    assert f"include each other in a circle: {one} includes {one}" in said
    one.write_text("include 'two.gin'\n")
    two.write_text("\ninclude 'one.gin'\n")
    said = refused([one])
    assert said.startswith(f"{two}, line 2: ") and f"{one} includes {two} includes {one}" in said
    two.write_text("mistaken.count = 2\n")
    one.write_text("include 'two.gin'\ninclude 'two.gin'\n")  # twice is no circle
    config.parse([str(one)])


def test_included_files_are_looked_up_beside_their_file_first(tmp_path, monkeypatch):
    inner = tmp_path / "my files" / "größen"
    inner.mkdir(parents=True)
    (tmp_path / "my files" / "top.gin").write_text('include "größen/part.gin"\n', encoding="utf-8")
    (inner / "part.gin").write_text('include "name.gin"\ninclude "../count.gin"\n')
    (inner / "name.gin").write_text("mistaken.name = 'beside'\n")
    (tmp_path / "my files" / "count.gin").write_text("mistaken.count = 2\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for path in (str(tmp_path / "my files" / "top.gin"), "../my files/top.gin"):
        config.parse([path])
        assert mistaken() == "beside" and config.is_bound("mistaken", "count")
    (elsewhere / "name.gin").write_text("mistaken.name = 'working directory'\n")
    config.parse([str(tmp_path / "my files" / "top.gin")])
    assert mistaken() == "beside"
    config.parse([], ["include 'name.gin'"])  # of the command line
    assert mistaken() == "working directory"
    (inner / "name.gin").unlink()
    config.parse([str(tmp_path / "my files" / "top.gin")])
    assert mistaken() == "working directory"


def test_a_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "part.gin").write_text("mistaken.name = 'home'\n")
    (tmp_path / "top.gin").write_text("include '~/part.gin'\n")
    config.parse(["~/top.gin"])
    assert mistaken() == "home"
    assert refused(["~/none.gin"]) == f"no such gin file: {tmp_path}/none.gin"


def test_modules_of_a_user_are_imported_and_named(tmp_path, monkeypatch):
    (tmp_path / "my_own_module.py").write_text(
        "from tfgans import configurable\n\n@configurable\ndef my_own(width=3):\n    return width\n"
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.gin").write_text("import my_own_module\nmy_own.width = 5\nmistaken.anything = @my_own()\n")
    config.parse(["a.gin"])
    assert sys.modules["my_own_module"].my_own() == 5
    assert config.unused_bindings() == ["mistaken.anything"]
