"""What `architectures --thresholds` takes, and which mistakes in it are told."""

import re

import pytest
from absl import flags
from defined_flags import defined

from tfgans.commands import flags as command_flags
from tfgans.config import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fid=15,inception_score=8", {"fid": 15.0, "inception_score": 8.0}),
        ("kid=1e-3, fid = +2.5E1 ", {"kid": 0.001, "fid": 25.0}),
        ("copying_score=-.5", {"copying_score": -0.5}),
        ("fid=inf", "metric=value"),
        ("kid=1e999", "metric=value"),
        ("fid=nan", "metric=value"),
        ("fid=1=2", "metric=value"),
        ("=1", "metric=value"),
        ("fid=1,,kid=2", "metric=value"),
        ("fid=15,inception_score=8,fid=20", "fid has several. Received: 'fid=15,inception_score=8,fid=20'"),
    ],
)
def test_thresholds_are_a_number_for_each_metric(text, expected):
    with defined("architectures") as known:
        known["thresholds"].parse(text)
        given = flags.FlagValues()  # absl's own table stays unparsed
        for name, flag in known.items():
            given[name] = flag
        given.mark_as_parsed()
        if isinstance(expected, dict):
            assert command_flags.thresholds(given) == expected
            return
        with pytest.raises(ConfigError, match=f"^--thresholds .*{re.escape(expected)}"):
            command_flags.thresholds(given)
