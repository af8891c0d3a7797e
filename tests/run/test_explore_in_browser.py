"""The explorer's page in a browser: somebody clicks, types and moves sliders."""

import threading

import browser
import numpy as np
import pytest
from explored import made
from PIL import Image
from short_runs import CONFIG, STYLED

from tfgans.run.explore.server import Server
from tfgans.run.explore.studio import Studio


def served(text, folder):
    """`(studio, server)` of a new model."""
    studio, server = Studio(made(text, folder), 4, folder), Server("127.0.0.1", 0)
    studio.sheet(studio.parsed({}), 0)  # compiles, as the command does before it serves
    studio.picture(studio.parsed({}))
    threading.Thread(target=server.serve, args=(studio,), daemon=True).start()
    return studio, server


def stands(person, caption):
    """Waits until the caption begins so and the picture is there."""
    person.wait_for(f"document.getElementById('caption').textContent.startsWith({caption!r})")
    person.wait_for("document.getElementById('picture').naturalWidth == 8")


def shown(person):
    """The picture as the browser has it, [H, W]."""
    return np.array(person.run("""
        const image = document.getElementById("picture"), canvas = document.createElement("canvas");
        canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0);
        return [...context.getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0);
    """)).reshape(8, 8)  # fmt: skip


def expected(studio, **settings):
    parsed = studio.parsed(settings)
    images, _ = studio._images(parsed, [parsed.seed])
    return images[0, ..., 0].astype(int)


def slide(person, selector, value):
    person.run(
        "const slider = document.querySelector(arguments[0]); slider.value = arguments[1];"
        "slider.dispatchEvent(new Event('input', {bubbles: true}));",
        selector,
        value,
    )


def width(person):
    return person.run("return document.documentElement.scrollWidth")


@pytest.mark.slow
@pytest.mark.parametrize(("size", "dark"), [((400, 850), False), ((1400, 900), True)])
def test_somebody_plays_with_styles(tmp_path, size, dark):
    studio, server = served(STYLED, tmp_path)
    with browser.Person(tmp_path / "profile", *size, dark) as person:
        person.open(server.address)
        stands(person, "seed 0")
        assert person.run("return document.title") == f"{tmp_path.name}: tfgans explore"
        assert np.abs(shown(person) - expected(studio, seed="0")).max() <= 1
        person.click("#next")
        stands(person, "seed 1 ")
        person.clear("#seed")
        person.type("#seed", "42")
        stands(person, "seed 42 ")
        assert np.abs(shown(person) - expected(studio, seed="42")).max() <= 1
        slide(person, "#truncation", "0.5")
        stands(person, "seed 42, truncation 0.5")
        person.click("#mix_on")
        stands(person, "seed 42, truncation 0.5, mixed with 1")
        slide(person, "#directions label:nth-child(3) input", "2")
        stands(person, "seed 42, truncation 0.5, mixed with 1, moved")
        settings = {"seed": "42", "truncation": "0.5", "mix": "1", "slots": "2:4"}
        settings |= {"method": "sefa", "strengths": "0,0,2"}
        assert np.abs(shown(person) - expected(studio, **settings)).max() <= 1
        person.wait_for("location.hash.includes('mix=1')")
        assert width(person) == size[0]
        person.click("#save")
        person.wait_for("document.querySelectorAll('#saved img').length == 1")
        assert "seed_000042_001.png" in person.run("return document.getElementById('message').textContent")
        with Image.open(tmp_path / "explored/seed_000042_001.png") as image:
            np.testing.assert_array_equal(np.asarray(image), shown(person))
        person.click("#straight")
        stands(person, "seed 42, truncation 0.5, mixed with 1 (")
        person.type("body", "m")
        stands(person, "seed 42, truncation 0.5 (")
        person.click("#saved button")
        stands(person, "seed 42, truncation 0.5, mixed with 1, moved")
        assert width(person) == size[0] and person.console() == []
        light = person.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert light != dark
    server.close()


def test_keys_thumbnails_classes_and_the_way_back(tmp_path):
    studio, server = served(CONFIG, tmp_path)
    with browser.Person(tmp_path / "profile") as person:
        person.open(server.address + "#seed=5&label=3")
        stands(person, "seed 5, 3 ")
        assert np.abs(shown(person) - expected(studio, seed="5", label="3")).max() <= 1
        assert not person.run("return document.getElementById('mixing').offsetHeight")
        person.wait_for("document.querySelectorAll('.thumb[aria-current=true]').length == 1")
        person.type("body", "\ue014")  # the right arrow
        stands(person, "seed 6, 3 ")
        person.wait_for("location.hash == '#seed=6&label=3'")
        person.click(".thumb:nth-child(12)")
        stands(person, "seed 11, 3 ")
        person.wait_for("location.hash == '#seed=11&label=3'")
        person.run("history.back()")
        stands(person, "seed 6, 3 ")
        person.run("document.getElementById('label').value = '7'")
        person.run("document.getElementById('label').dispatchEvent(new Event('input', {bubbles: true}))")
        stands(person, "seed 6, 7 ")
        assert np.abs(shown(person) - expected(studio, seed="6", label="7")).max() <= 1
        person.clear("#seed")
        person.type("#seed", "many")
        person.wait_for("!document.getElementById('message').hidden")
        assert person.run("return document.getElementById('message').textContent").startswith(
            "seed is a whole number in [0, 2147483648). Received: 'many'"
        )
        person.clear("#seed")
        person.type("#seed", "7")
        stands(person, "seed 7, 7 ")
        person.type("body", "?")
        assert person.run("return document.getElementById('help').open")
        assert all("seed=m" in line and "400" in line for line in person.console())
    server.close()


@pytest.mark.slow
def test_thumbnails_have_the_shape_of_the_images(tmp_path):
    """Of 32x16 pixels with alpha, as the picture; a thumbnail is twice as wide as it is high, but for its border."""
    shape = "resolution = (16, 32)\nchannels = 4\nnum_classes = None\nDataset.use_labels = False\n"
    _, server = served(CONFIG + shape, tmp_path)
    with browser.Person(tmp_path / "profile") as person:
        person.open(server.address)
        person.wait_for("document.getElementById('picture').naturalWidth == 32")
        assert person.run("return document.getElementById('picture').naturalHeight") == 16
        size = "const box = document.querySelector('.thumb').getBoundingClientRect(); return [box.width, box.height]"
        wide, high = person.run(size)
        assert wide / high == pytest.approx(2.0, rel=0.05)
        assert person.console() == []
    server.close()
