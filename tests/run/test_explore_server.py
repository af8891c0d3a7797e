"""The explorer's server: many who ask at once, and the address it is at."""

import concurrent.futures
import json
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from explored import pixels, save, shown

from tfgans.config import ConfigError
from tfgans.run import explore
from tfgans.run.explore.server import Server


@pytest.fixture
def served(styled):
    server = Server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, args=(styled,), daemon=True)
    thread.start()
    yield server
    server.close()


def test_closing_ends_serving(styled, monkeypatch):
    """Also while the thread that serves waits for somebody to come, and without an error there."""
    failed = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    for wait in (0.0, 0.2):
        server = Server("127.0.0.1", 0)
        thread = threading.Thread(target=server.serve, args=(styled,), daemon=True)
        thread.start()
        time.sleep(wait)
        server.close()
        thread.join(timeout=30)
        assert not thread.is_alive() and not failed


def test_pictures_of_a_file_are_saved_beside_it(styled, tmp_path, monkeypatch):
    """NVIDIA's pickles are files, in which nothing can be saved."""
    (tmp_path / "ffhq.pkl").touch()
    monkeypatch.setattr(explore.Which, "load_alone", lambda self, path: (styled.model, 0))
    monkeypatch.setattr(Server, "serve", lambda self, studio: save(studio, seed="3"))
    explore.explore(tmp_path / "ffhq.pkl", port=0)
    names = {path.name for path in (tmp_path / "ffhq" / "explored").iterdir()}
    assert names == {"seed_000003_001.png", "seed_000003_001.npz"}


@pytest.mark.slow
def test_twenty_at_once_lose_nothing_and_the_model_does_one_thing_at_a_time(styled, served, monkeypatch):
    inside, most, render = [], [], styled.model.render_styles

    def rendering(styles):
        inside.append(1)
        most.append(len(inside))
        images = render(styles)
        inside.pop()
        return images

    queries = [f"seed={i % 7}&truncation={(i % 4) / 4}&mix={i}&slots=1:3" for i in range(60)]
    expected = [shown(styled, query) for query in queries]
    monkeypatch.setattr(styled.model, "render_styles", rendering)

    def client(number):
        found = []
        for query in queries[number::20]:
            with urllib.request.urlopen(f"{served.address}picture?{query}", timeout=60) as answer:
                found.append(pixels(answer.read()))
        return found

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(client, range(20)))
    for number, found in enumerate(answers):
        for picture, wanted in zip(found, expected[number::20], strict=True):
            np.testing.assert_array_equal(picture, wanted)
    assert len(most) == 60 and max(most) == 1


def test_twenty_who_save_at_once_get_a_file_each(styled, served, tmp_path, monkeypatch):
    monkeypatch.setattr(styled, "folder", tmp_path)

    def client(number):
        body = json.dumps({"seed": str(number)}).encode()
        request = urllib.request.Request(f"{served.address}save", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["name"]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        names = list(pool.map(client, range(20)))
    assert sorted(name[-7:-4] for name in names) == [f"{n:03d}" for n in range(1, 21)]
    assert sorted(path.name for path in (tmp_path / "explored").glob("*.png")) == sorted(names)


def test_a_body_that_is_too_large_is_refused(served):
    request = urllib.request.Request(
        f"{served.address}save", b"x" * 100_000, {"Content-Type": "application/json"}
    )
    with pytest.raises((urllib.error.HTTPError, ConnectionError, urllib.error.URLError)) as error:
        urllib.request.urlopen(request, timeout=60)
    assert getattr(error.value, "code", 413) == 413


def test_an_address_that_is_taken_or_is_not_ours_is_one_line(served):
    with pytest.raises(ConfigError, match=f"cannot serve at --host=127.0.0.1 --port={served.port}: "):
        Server("127.0.0.1", served.port)
    with pytest.raises(ConfigError, match="cannot serve at --host=no.such.invalid --port=0: "):
        Server("no.such.invalid", 0)


def test_a_server_for_others_prints_its_token():
    server = Server("0.0.0.0", 0)
    assert server.address == f"http://0.0.0.0:{server.port}/?token={server.token}" and len(server.token) > 20
    server.close()
