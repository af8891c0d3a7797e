"""`report` and `explore` as commands."""

import json
import os
import re
import signal
import urllib.error
import urllib.request

import forks
import pytest
from short_runs import POINTS

from tfgans import checkpoint
from tfgans.run import build


@pytest.fixture(scope="module")
def points_run(tmp_path_factory):
    """A run of points as far as it can be loaded."""
    folder = tmp_path_factory.mktemp("points")
    (folder / "operative.gin").write_text(POINTS)
    build.prepare([str(folder / "operative.gin")], [])
    checkpoint.Checkpoints(folder / "checkpoints").save(build.build_model()[0], 0, {})
    return folder


def test_report_writes_one_page(call, refused, points_run, tmp_path):
    page = tmp_path / "page.html"
    code, out, err = call("report", f"--model_dir={points_run}", f"--output={page}")
    assert (code, out, err) == (0, f"{page}\n", "")
    assert page.read_text().startswith("<!DOCTYPE html>") and not (points_run / "report.html").exists()
    assert "is not a run: it has no operative.gin" in refused("report", f"--model_dir={tmp_path / 'none'}")
    wrong = refused("report", f"--model_dir={points_run}", f"--output={tmp_path}")
    assert f"--output is a file in a folder that is there. Received: {tmp_path}" in wrong
    assert os.listdir(tmp_path) == ["page.html"]


def test_explore_serves_until_it_is_stopped(styled_run_dir):
    process = forks.command("explore", f"--model_dir={styled_run_dir}", "--port=0")
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.wait_for("http://"))[0]
        with urllib.request.urlopen(f"{address}about", timeout=60) as answer:
            assert json.loads(answer.read())["slots"] == 4
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(f"{address}picture?seed=x", timeout=60)
        with urllib.request.urlopen(f"{address}picture?seed=1&truncation=0.5", timeout=60) as answer:
            assert answer.read().startswith(b"\x89PNG")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        if process.poll() is None:
            process.kill()
    out, err = process.said()
    assert out == f"{address}\n" and "open it in a browser; Ctrl-C ends it" in err
    assert err.endswith("explore.py: stopped by signal 2\n") and "Traceback" not in err


@pytest.mark.slow
def test_what_cannot_be_explored_is_one_line(refused, points_run, styled_run_dir, tmp_path):
    assert "is not a run" in refused("explore", f"--model_dir={tmp_path}", "--port=0")
    assert "this run makes points" in refused("explore", f"--model_dir={points_run}", "--port=0")
    wrong = [f"--model_dir={styled_run_dir}", "--host=no.such.invalid"]
    assert "cannot serve at --host=no.such.invalid --port=8765: " in refused("explore", *wrong)
    assert "--port=70000" in refused("explore", f"--model_dir={styled_run_dir}", "--port=70000")
