"""The pages that `make docs` makes a site of: each in its navigation, and every link and picture of them there."""

import os
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "gin_configs").glob("**/*.md")]
)
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def links(text):
    """Addresses within this repository that a page links to or shows, without what stands in examples."""
    text = re.sub(r"^```.*?^```|^    .*?$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    return [link for link in re.findall(r"\]\(([^()\s]+)\)", text) if not re.match(r"https?://", link)]


def anchors(page):
    """What `#...` may name in a page: its headings in small letters, with hyphens."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def missing(page):
    """Links of a page that lead nowhere, or out of what is copied for the site."""
    found = []
    for link in links(page.read_text()):
        path, _, anchor = link.partition("#")
        target = pathlib.Path(os.path.normpath(page.parent / path)) if path else page
        copied = target in PAGES or target.relative_to(ROOT).parts[0] in ("docs", "gin_configs")
        if not (target.is_file() and copied) or anchor and anchor not in anchors(target):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_and_pictures_are_there(page):
    assert missing(page) == []


def test_every_page_is_in_the_navigation_once():
    named = re.findall(r"^ +- (?:.*: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(NAMES)


def test_every_command_is_in_both_tables():
    scripts = {f"launch/{path.name}" for path in (ROOT / "launch").glob("*.py")}
    for page in ("README.md", "docs/commands.md"):
        table = re.findall(r"^\| `(launch/\w+\.py)", (ROOT / page).read_text(), re.MULTILINE)
        assert sorted(table) == sorted(scripts), page


def test_what_is_missing_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "a.md"
    monkeypatch.setattr(sys.modules[__name__], "PAGES", [page])
    (tmp_path / "setup.py").touch()
    page.write_text(
        "# One two\n[there](a.md#one-two) [no](b.md) [site](https://a.b) ![p](p.png) [no](#one)\n"
        "[left out](../setup.py) `[code](c.md)`\n```\n[code](d.md)\n```\n\n    [code](e.md)\n"
    )
    assert missing(page) == ["b.md", "p.png", "#one", "../setup.py"]
