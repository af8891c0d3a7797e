"""Parameters that there were once: a run's record is understood, a new configuration is told what to write."""

import pytest

from tfgans import config
from tfgans.config import ConfigError

OLD = """
Evaluator.class_coverage = False
Evaluator.density_coverage = False
Evaluator.features = @DigitsFeatures()
Evaluator.inception_score = True
Evaluator.intra_class = False
Evaluator.kernel_distance = True
Evaluator.metrics = ()
Evaluator.precision_recall = False
Evaluator.spectrum = True
"""


@pytest.fixture(autouse=True)
def rooms():
    config.import_rooms(["tfgans.evaluate"])


def test_a_runs_record_becomes_the_list(tmp_path):
    path = tmp_path / "operative.gin"
    path.write_text(OLD)
    config.parse([str(path)])
    from tfgans.evaluate.evaluator import Evaluator

    assert Evaluator().metrics == ("fid", "inception_score", "kid", "spectrum")
    config.parse([str(path)], ["Evaluator.metrics = ['mind']"])
    assert Evaluator().metrics == ("mind",)


def test_without_any_of_them_a_record_is_as_it_is(tmp_path):
    path = tmp_path / "operative.gin"
    path.write_text("Evaluator.features = @DigitsFeatures()\nEvaluator.metrics = ('fid',)\n")
    config.parse([str(path)])
    from tfgans.evaluate.evaluator import Evaluator

    assert Evaluator().metrics == ("fid",)


@pytest.mark.parametrize("in_file", [True, False])
def test_elsewhere_it_says_what_to_write(tmp_path, in_file):
    path = tmp_path / "mine.gin"
    path.write_text("Evaluator.kernel_distance = True\n" if in_file else "")
    flags = [] if in_file else ["Evaluator.kernel_distance=True"]
    told = (
        r"Evaluator.kernel_distance is an entry of Evaluator.metrics now: Evaluator.metrics = \[..., 'kid'\]"
    )
    with pytest.raises(ConfigError, match=told):
        config.parse([str(path)], flags)
