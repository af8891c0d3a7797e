"""Where XLA cannot compile, `jit_compile` is refused in one line, before training."""

import pytest
import tensorflow as tf
import toys

from tfgans import xla
from tfgans.config import ConfigError
from tfgans.gan import GAN


@pytest.fixture
def without_xla(monkeypatch):
    """A processor that XLA does not know; what was found of this one is forgotten before and after."""

    def fails(matrix):
        raise tf.errors.UnimplementedError(None, None, "no code for sm_120\nand a second line")

    xla.check.cache_clear()
    monkeypatch.setattr(xla, "_product", fails)
    yield
    xla.check.cache_clear()


def test_it_is_refused_in_one_line(without_xla):
    model = GAN(*toys.image_networks())
    with pytest.raises(
        ConfigError, match="^jit_compile: XLA cannot compile for this processor: no code for sm_120$"
    ):
        model.compile(jit_compile=True)
    model.compile()


def test_here_it_compiles():
    xla.check.cache_clear()
    xla.check()
    assert xla.check.cache_info().misses == 1
