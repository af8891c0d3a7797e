"""`launch/classifier.py --data=S --output=F`, and `launch/fid.py` with what it wrote."""

import json

import numpy as np
import pytest

from tfgans.evaluate.classifier import read_about


@pytest.mark.slow
def test_a_classifier_and_distances_in_its_features(call, tmp_path):
    labels = np.arange(40) % 2
    noise = np.random.default_rng(0).integers(0, 60, (40, 8, 8))
    images = (noise + 180 * labels[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    flags = [f"--data={tmp_path / 'data.npz'}", f"--output={tmp_path / 'own.keras'}", "--epochs=2"]
    code, out, err = call("classifier", *flags, "--batch_size=9", "--width=16")
    assert code == 0, err
    about = json.loads(out.splitlines()[-1])
    assert about["images"] == 36 and about["held_out"] == 4 and about["name"] == "own"
    assert read_about(about["file"])[0]["width"] == 16
    assert "36 images of 2 classes, 4 held out" in err and "accuracy " in err
    np.savez(tmp_path / "bright.npz", images=images[labels == 1])
    sets = [tmp_path / "data.npz", tmp_path / "bright.npz", f"--features={about['file']}"]
    code, out, err = call("fid", *sets, "--metrics=fid,inception_score")
    row = json.loads(out.splitlines()[-1])
    assert code == 0 and row["features"].startswith("classifier_own_") and row["fid"] > 0, err


def test_mistakes_are_2_and_one_line(refused, tmp_path):
    output = f"--output={tmp_path / 'own.keras'}"
    assert "--data" in refused("classifier", output)
    assert "--output" in refused("classifier", "--data=digits")
    assert "ends in .keras" in refused("classifier", "--data=digits", f"--output={tmp_path}")
    assert "photos has no split" in refused(
        "classifier", "--data=photos", output, "--gin_param=Dataset.split='validation'"
    )
    assert list(tmp_path.iterdir()) == []
