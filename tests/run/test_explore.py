"""The explorer over HTTP: pictures as `generate` makes them, what is saved, who may ask, and many who ask at once."""

import concurrent.futures
import io
import json
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image
from short_runs import CONFIG, POINTS, STYLED
from werkzeug.test import Client

from tfgans.config import ConfigError
from tfgans.run import build
from tfgans.run.explore.server import Application, Server, is_loopback
from tfgans.run.explore.settings import MOST_SEEDS, Settings
from tfgans.run.explore.studio import SHEET, Studio


def made(text, folder):
    """A model of a configuration, whose weights are such that pictures differ."""
    (folder / "run.gin").write_text(text)
    build.prepare([str(folder / "run.gin")], [])
    model, _ = build.build_model()
    random = np.random.default_rng(0)
    for generator in filter(None, (model.generator, model.ema_generator)):
        for variable in generator.trainable_variables:
            bias = "bias" in variable.path and "mapping" in variable.path
            variable.assign(
                50 * random.normal(size=8)
                if bias
                else variable.value * 4 + 0.3 * random.normal(size=variable.shape)
            )
    return model


@pytest.fixture(scope="module")
def styled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("styled")
    return Studio(made(STYLED, folder), 4, folder)


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Of a conditional model without styles."""
    folder = tmp_path_factory.mktemp("classes")
    return Studio(made(CONFIG, folder), 4, folder)


@pytest.fixture(params=["styled", "classes"])
def studio(request):
    return request.getfixturevalue(request.param)


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image).astype(int)


def ask(studio, path, **options):
    return Client(Application(studio)).get(path, **options)


def shown(studio, query):
    answer = ask(studio, f"/picture?{query}")
    assert (answer.status_code, answer.mimetype) == (200, "image/png"), answer.text
    return pixels(answer.data)


def close(first, second):
    """Equal up to a level: sums are rounded in another order in a batch of another size."""
    return np.abs(first.astype(int) - second).max() <= 1


@pytest.mark.parametrize("seed", [0, 7, 64, 1000003])
def test_a_picture_is_that_of_generate(studio, seed):
    expected = studio.model.generate(1, seed=0, start=seed)[0, ..., 0]
    assert close(shown(studio, f"seed={seed}"), expected)
    assert not close(shown(studio, f"seed={seed + 1}"), expected)


def test_truncation_is_that_of_generate(studio):
    expected = studio.model.generate(1, seed=0, start=3, truncation=0.5)[0, ..., 0]
    assert close(shown(studio, "seed=3&truncation=0.5"), expected)
    assert not close(shown(studio, "seed=3"), expected)


def test_a_class_is_taken_in_place_of_the_drawn_one(classes):
    (drawn,) = classes.model.labels_at(0, 1, None, 5, 0)
    pictures = [shown(classes, f"seed=5&label={label}") for label in range(10)]
    assert close(pictures[drawn], shown(classes, "seed=5"))
    assert close(pictures[3], classes.model.generate(1, labels=[3], seed=0, start=5)[0, ..., 0])
    assert not close(pictures[3], pictures[4])


def test_slots_come_from_the_second_picture(styled):
    first, second = shown(styled, "seed=1"), shown(styled, "seed=2")
    assert close(shown(styled, "seed=1&mix=2&slots=0:4"), second)
    assert close(shown(styled, "seed=1&mix=2&slots=2:2"), first)
    both = styled.model.styles(np.concatenate([styled.model.latents_at(k, 1, 0) for k in (1, 2)]))
    both[0, 1:3] = both[1, 1:3]
    mixed = shown(styled, "seed=1&mix=2&slots=1:3")
    assert close(mixed, styled.model.render_styles(both[:1])[0, ..., 0])
    assert not close(mixed, first) and not close(mixed, second)


def test_a_direction_moves_by_standard_deviations(studio):
    found = studio.model.directions("sefa", 10)
    step = 2.0 * found.deviations[1] * found.vectors[1] - 0.5 * found.deviations[0] * found.vectors[0]
    latents = studio.model.latents_at(9, 1, 0)
    if studio.slots:
        moved = studio.model.styles(latents) + step.astype(np.float32)
        expected = studio.model.render_styles(moved.astype(np.float32))
    else:
        labels = studio.model.labels_at(0, 1, None, 9, 0)
        expected = studio.model.render((latents + step).astype(np.float32), labels)
    picture = shown(studio, "seed=9&method=sefa&strengths=-0.5,2")
    assert close(picture, expected[0, ..., 0])
    assert np.abs(picture - shown(studio, "seed=9")).max() > 1
    assert close(shown(studio, "seed=9&method=sefa&strengths=0,0"), shown(studio, "seed=9"))


def test_a_sheet_holds_the_seeds_that_follow(studio):
    query = "seed={}&truncation=0.7&method=sefa&strengths=1"
    answer = ask(studio, f"/sheet?{query.format(24)}")
    sheet = pixels(answer.data)
    side = studio.model.sample_shape[0]
    assert sheet.shape == (side, SHEET * side)
    for i in (0, 5, SHEET - 1):
        assert close(sheet[:, i * side : (i + 1) * side], shown(studio, query.format(24 + i)))


def test_about(styled, classes):
    found = ask(classes, "/about").json
    assert (found["classes"], found["slots"], found["step"]) == ([str(n) for n in range(10)], 0, 4)
    found = ask(styled, "/about").json
    assert (found["classes"], found["slots"], found["directions"]["sefa"]) == (None, 4, 8)
    assert found["name"] == styled.folder.name and (found["width"], found["height"]) == (8, 8)


def save(studio, **settings):
    return Client(Application(studio)).post("/save", json=settings)


def test_what_is_saved_makes_the_picture_again(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "folder", tmp_path)
    given = {"seed": "12", "truncation": "0.8", "method": "sefa", "strengths": "1.5,0,-2"}
    given |= {"mix": "3", "slots": "1:3"} if studio.slots else {"label": "7"}
    assert [save(studio, **given).json["name"] for _ in range(2)] == [
        "seed_000012_001.png",
        "seed_000012_002.png",
    ]
    assert save(studio, seed="4").json["name"] == "seed_000004_003.png"
    picture = pixels((tmp_path / "explored/seed_000012_001.png").read_bytes())
    query = "&".join(f"{name}={text}" for name, text in given.items())
    np.testing.assert_array_equal(picture, shown(studio, query))
    with np.load(tmp_path / "explored/seed_000012_001.npz") as kept:
        again = (
            studio.model.render_styles(kept["styles"])
            if studio.slots
            else studio.model.render(kept["latents"], kept["labels"])
        )
        np.testing.assert_array_equal(again[0, ..., 0], picture)
        assert set(kept) == {"latents", "settings", "space", "styles" if studio.slots else "labels"}
        assert kept["space"] == ("w" if studio.slots else "z")
        settings = dict(part.split("=") for part in str(kept["settings"]).split("&"))
    assert studio.parsed(settings) == studio.parsed(given)
    listed = ask(studio, "/saved").json
    assert [each["name"][-7:-4] for each in listed] == ["003", "002", "001"]
    assert listed[0]["settings"] == "seed=4" and studio.parsed(
        dict(part.split("=") for part in listed[2]["settings"].split("&"))
    ) == studio.parsed(given)
    answer = ask(studio, "/saved/seed_000012_001.png")
    assert answer.data == (tmp_path / "explored/seed_000012_001.png").read_bytes()


def test_other_files_are_not_shown(classes, tmp_path, monkeypatch):
    monkeypatch.setattr(classes, "folder", tmp_path)
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "explored").mkdir()
    (tmp_path / "explored/notes.txt").write_bytes(b"x")
    (tmp_path / "explored/seed_000001_001.png").write_bytes(b"damaged")
    assert ask(classes, "/saved").json == [{"name": "seed_000001_001.png", "settings": ""}]
    for name in ("notes.txt", "..%2fsecret.png", "../secret.png", "seed_000001_002.png"):
        assert ask(classes, f"/saved/{name}").status_code == 404
    assert save(classes, seed="1").json["name"] == "seed_000001_002.png"


WRONG = [
    ("styled", "seed=x", f"seed is a whole number in [0, {MOST_SEEDS}). Received: 'x'"),
    ("styled", "seed=-1", "seed is a whole number"),
    ("styled", f"seed={MOST_SEEDS}", "seed is a whole number"),
    ("styled", "seed=" + "9" * 5000, "Received: '99999"),
    ("styled", "sead=1", "a picture is made by seed, truncation, label, mix, slots, method, strengths. Received: "),
    ("styled", "truncation=1.5", "truncation is psi, a number in [0, 1]. Received: '1.5'"),
    ("styled", "truncation=nan", "truncation is psi"),
    ("classes", "truncation=0", "truncation is a bound in [0.01, 10]. Received: '0'"),
    ("styled", "label=1", "label is for generators with classes, and this one has none. Received: '1'"),
    ("classes", "label=10", "label is a whole number in [0, 10). Received: '10'"),
    ("classes", "mix=1&slots=0:1", "mix is for generators with styles, and this one has none. Received: '1'"),
    ("styled", "mix=1", "mix and slots go together"),
    ("styled", "mix=1&slots=3:5", "slots is A:B with 0 <= A <= B <= 4. Received: '3:5'"),
    ("styled", "mix=1&slots=3:1", "slots is A:B"),
    ("styled", "strengths=1", "strengths go with a method of finding directions"),
    ("styled", "strengths=1&method=guess", "method is one of sefa"),
    ("styled", "strengths=1,inf&method=sefa", "strengths is numbers in [-20, 20], joined by commas. Received: 'inf'"),
    ("styled", "strengths=" + "1," * 10 + "1&method=sefa", "strengths is at most 10 numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("which", "query", "message"), WRONG)
def test_wrong_values_are_answered_by_one_line(request, which, query, message):
    studio = request.getfixturevalue(which)
    for path in ("picture", "sheet"):
        answer = ask(studio, f"/{path}?{query}")
        assert (answer.status_code, answer.mimetype) == (400, "text/plain")
        assert message in answer.text and answer.text.count("\n") == 1 and len(answer.text) < 300
    given = dict(part.split("=") for part in query.split("&"))
    assert save(studio, **given).status_code == 400 and not (studio.folder / "explored").exists()


def test_wrong_requests_are_answered_by_one_line(classes, monkeypatch, caplog):
    client = Client(Application(classes))
    answers = {
        404: client.get("/no/such"),
        405: client.post("/about", json={}),
        400: client.post("/save", data="{", content_type="application/json"),
        500: None,
    }
    monkeypatch.setattr(classes, "save", lambda settings: Image.new("no", (1, 1)))
    answers[500] = client.post("/save", json={"seed": "1"})
    for code, answer in answers.items():
        assert answer.status_code == code and answer.text.count("\n") == 1 and "Traceback" not in answer.text
    for given in ([], {"seed": 1}, "seed"):
        assert client.post("/save", json=given).status_code == 400
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["/save"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8765", "127.8.8.8", "[::1]:9", "LOCALHOST:1"])
def test_this_machine_may_ask(classes, host):
    assert ask(classes, "/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8765", "10.0.0.1", ""]
)
def test_a_name_that_was_made_to_lead_here_is_refused(classes, host):
    for path in ("/", "/about", "/picture?seed=1", "/saved"):
        assert ask(classes, path, headers={"Host": host}).status_code in (400, 403)
    assert Client(Application(classes)).post("/save", json={}, headers={"Host": host}).status_code in (
        400,
        403,
    )


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://localhost:8765"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "http://localhost:9999"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Content-Type": "text/plain"}, False),
        ({"Content-Type": "application/x-www-form-urlencoded"}, False),
    ],
)
def test_pages_of_elsewhere_cannot_save(classes, tmp_path, monkeypatch, headers, allowed):
    monkeypatch.setattr(classes, "folder", tmp_path)
    headers = {"Host": "localhost:8765", "Content-Type": "application/json"} | headers
    answer = Client(Application(classes)).post("/save", data='{"seed": "1"}', headers=headers)
    assert answer.status_code == (200 if allowed else 403)
    assert (tmp_path / "explored").exists() == allowed


def test_others_need_the_token(classes):
    application = Application(classes, "secret")
    asked = {"headers": {"Host": "10.0.0.1:8765"}}
    for path in ("/", "/about", "/picture?seed=1", "/?token=", "/?token=secre", "/?token=\u00e9"):
        answer = Client(application).get(path, **asked)
        assert answer.status_code == 403 and "token" in answer.text
    assert Client(application).post("/save", json={"seed": "1"}, **asked).status_code == 403
    client = Client(application)
    answer = client.get("/?token=secret", **asked)
    cookie = answer.headers["Set-Cookie"]
    assert answer.status_code == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert (
        client.get("/about", headers={"Host": "10.0.0.1:8765", "Cookie": cookie.split(";")[0]}).status_code
        == 200
    )
    wrong = {"Host": "10.0.0.1:8765", "Cookie": cookie.split("=")[0] + "=x"}
    assert Client(application).get("/about", headers=wrong).status_code == 403


def test_the_page_takes_nothing_from_elsewhere(classes):
    answer = ask(classes, "/")
    assert (
        answer.mimetype == "text/html" and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        answer = ask(classes, f"/{name}")
        assert answer.mimetype == kind and "//" not in answer.text.replace("// ", "")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.0.0.1", True), ("127.3.2.1", True), ("::1", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("my.machine", False), ("", False)],
)  # fmt: skip
def test_what_only_this_machine_can_reach(host, loopback):
    assert is_loopback(host) == loopback


@pytest.fixture
def served(styled):
    server = Server("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve, args=(styled,), daemon=True)
    thread.start()
    yield server
    server.close()


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


def test_points_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="explore shows images, and this run makes points"):
        Studio(made(POINTS, tmp_path), 0, tmp_path)


def test_a_generator_without_a_first_dense_layer_has_no_directions(classes, monkeypatch):
    def refuse(method, count):
        raise ConfigError("none")

    monkeypatch.setattr(classes.model, "directions", refuse)
    studio = Studio(classes.model, 0, classes.folder)
    assert studio.methods == () and studio.about()["directions"] == {}
    assert studio.picture(Settings(seed=1)) == classes.picture(Settings(seed=1))
    assert "method is one of none" in ask(studio, "/picture?method=sefa&strengths=1").text
