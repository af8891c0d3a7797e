"""What the tests of the explorer share: models whose pictures differ, and how a studio is asked over HTTP."""

import io

import numpy as np
from PIL import Image
from werkzeug.test import Client

from tfgans.run import build
from tfgans.run.explore.server import Application


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


def save(studio, **settings):
    return Client(Application(studio)).post("/save", json=settings)
