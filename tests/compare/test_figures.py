"""Figures of a comparison: what is drawn where, and that it can be told apart."""

import re

from pages import two

from tfgans.compare import figures, report


def luminance(colour):
    part = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in part]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_are_seen_on_light_and_on_dark(written):
    pages = re.findall(r"--page: (#\w{6})", (written[0] / "report.html").read_text())
    assert len(pages) == 2
    for line in figures.COLOURS:
        for ground in pages:
            low, high = sorted((luminance(line), luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 3.0, (line, ground)


def test_no_two_configurations_look_the_same():
    looks = {(figures.colour(i), figures.marker(i)) for i in range(20)}
    assert len(looks) == 20 and len({figures.marker(i) for i in range(8)}) == 8


def test_long_labels_keep_both_ends():
    assert figures.short("abc  def\nghi", 11) == "abc def ghi"
    assert figures.short("abcdefghijkl", 11) == "abcde…hijkl"
    assert figures.short("abcdefghijkl", 10) == "abcd…hijkl"
    verdict = report.verdict(two([1.0, 1.1], [3.0, 3.1], labels=("x" * 50 + "1", "y", "z")))
    assert f"{'x' * 19}…{'x' * 19}1 is better than y" in verdict
