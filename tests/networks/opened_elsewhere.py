"""Opens what a run hands over, in processes that have not trained; run by `test_keras_files.py`.

python opened_elsewhere.py FOLDER: prints JSON; see the test for what stands in it.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np


def given(stored):
    return [stored[name] for name in ("latents", "labels") if name in stored.files]


def largest_difference(path):
    """Between the outputs of a Keras file's network and those it had where it was saved."""
    import keras

    network, stored = keras.models.load_model(path), np.load(path.with_suffix(".npz"))
    inputs = given(stored)
    found = np.asarray(network(inputs if len(inputs) > 1 else inputs[0], training=False))
    return float(np.abs(found - stored["output"]).max())


def tfgans_first(folder):
    """Opens a file with tfgans imported before Keras, which that does not import."""
    __import__("tfgans")
    assert "keras" not in sys.modules
    __import__("keras")
    assert "tfgans.layers" not in sys.modules
    return largest_difference(folder / "dcgan.keras")


def keras_first(folder):
    """Tries all files without tfgans, then with it."""
    import tensorflow as tf

    result = {"alone": {}, "difference": {}, "export": {}}
    names = sorted(path.stem for path in folder.glob("*.keras"))
    for name in names:
        try:
            result["difference"][name] = largest_difference(folder / f"{name}.keras")
        except Exception as error:
            result["alone"][name] = f"{type(error).__name__}: {error}"
    for path in sorted(folder.glob("*_export")):
        loaded, stored = tf.saved_model.load(str(path)), np.load(folder / f"{path.name}.npz")
        found = loaded.serve(*given(stored)).numpy()
        wrong = np.abs(found.astype(float) - stored["output"]).max()
        result["export"][path.name] = [str(found.dtype), float(wrong)]
    assert "tfgans" not in sys.modules
    __import__("tfgans")
    for name in names:
        try:
            result["difference"][name] = largest_difference(folder / f"{name}.keras")
        except Exception as error:
            result[name] = str(error)
    return result


def main():
    folder = Path(sys.argv[1])
    child = os.fork()
    if not child:
        (folder / "tfgans_first.json").write_text(json.dumps(tfgans_first(folder)))
        os._exit(0)
    result = keras_first(folder)
    os.waitpid(child, 0)
    result["tfgans first"] = json.loads((folder / "tfgans_first.json").read_text())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
