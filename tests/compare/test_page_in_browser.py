"""How the page looks in a browser."""

import browser
import pytest
from pages import two

from tfgans.compare import report


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(400, False), (1400, True)])
def test_page_in_a_browser(written, tmp_path, width, dark):
    found, console = browser.measure(written[0] / "report.html", width, tmp_path, dark)
    assert console == []
    assert found["window"] == found["page"] == width and found["outside"] == []
    assert found["rows"] == 3 and found["tables"] >= 6
    assert len(found["figures"]) == 13
    least = 360 if width == 400 else 500
    assert all(least <= wide <= width and high > 120 for wide, high in found["figures"])
    assert len(found["pictures"]) == 15
    assert all(
        complete and natural == 384 and 120 <= wide <= 400 for complete, natural, wide in found["pictures"]
    )
    light = ("rgb(28, 31, 36)", "rgb(255, 255, 255)")
    assert (found["ink"], found["background"]) == (
        ("rgb(228, 231, 235)", "rgb(21, 24, 28)") if dark else light
    )


@pytest.mark.slow
def test_long_labels_stay_within_the_window(tmp_path):
    comparison = two([1.0, 2.0], [3.0, 4.0], labels=("x" * 300, "many words " * 30, ""))
    comparison["problems"] = ["y" * 500]
    report.write(tmp_path, comparison)
    found, console = browser.measure(tmp_path / "report.html", 400, tmp_path)
    assert console == [] and found["page"] == 400 and found["outside"] == []


@pytest.mark.slow
def test_a_broken_page_would_be_seen(tmp_path):
    (tmp_path / "a.html").write_text('<body><div style="width: 600px">x</div><script>nothing()</script>')
    found, console = browser.measure(tmp_path / "a.html", 400, tmp_path)
    assert found["page"] >= 600 and len(found["outside"]) == 1
    assert len(console) == 1 and "nothing is not defined" in console[0]
