"""How the page of a run looks in a browser, and its slider."""

import browser
import pytest
from test_run_page import folder  # noqa: F401 - a fixture

from tfgans.compare import run_page


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory):  # noqa: F811
    return run_page.write(folder, tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(400, False), (1400, True)])
def test_page_in_a_browser(written, tmp_path, width, dark):
    found, console = browser.measure(written, width, tmp_path, dark)
    assert console == []
    assert found["window"] == found["page"] == width and found["outside"] == []
    assert found["tables"] == 3 and len(found["figures"]) == 4
    assert all(340 <= wide <= width and high > 120 for wide, high in found["figures"])
    seen = [(complete, natural) for complete, natural, wide in found["pictures"] if wide]
    assert seen == [(True, 96), (True, 96), (True, 64), (True, 40)]  # samples, real, nearest, architecture
    light = ("rgb(28, 31, 36)", "rgb(255, 255, 255)")
    assert (found["ink"], found["background"]) == (
        ("rgb(228, 231, 235)", "rgb(21, 24, 28)") if dark else light
    )


@pytest.mark.slow
def test_the_slider_shows_every_step(written, tmp_path):
    with browser.Person(tmp_path / "profile", 400, 800) as person:
        person.open(written.as_uri())

        def state():
            return person.run(
                "const raw = document.getElementById('raw').closest('figure');"
                "return [document.getElementById('at_step').value, document.getElementById('sample').src, raw.hidden]"
            )

        assert state()[0] == "step 100" and state()[2]
        last = state()[1]
        person.type("#step", "\ue012")  # the left arrow
        step, picture, hidden = state()
        assert (
            (step, hidden) == ("step 50", False) and picture.startswith("data:image/png") and picture != last
        )
        person.type("#step", "\ue011")  # Home
        assert state()[0] == "step 0"
        person.click("#play")
        person.wait_for("document.getElementById('at_step').value == 'step 100'")
        person.wait_for("document.getElementById('play').textContent == 'Play'")
        assert state()[1] == last and person.console() == []
        person.click("details summary")
        assert person.run("return document.documentElement.scrollWidth") == 400
