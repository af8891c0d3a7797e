"""What the explorer shows, as `generate` makes it, what is saved, and what is refused."""

import numpy as np
import pytest
from explored import ask, close, made, pixels, save, shown
from short_runs import POINTS

from tfgans.config import ConfigError
from tfgans.run.explore.settings import MOST_SEEDS, Settings
from tfgans.run.explore.studio import SHEET, Studio


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
