"""The one door to TF-GAN: its evaluation functions, without the rest of the package.

TF-GAN 2.1.0 cannot be imported whole on TensorFlow >= 2.16 (it needs `tf.estimator`), but the modules
of its `eval` folder can. They are imported here under empty stand-ins for their parent packages, which
are taken away again: a later `import tensorflow_gan` elsewhere behaves as if this file were not there.

The checks of this package (Frechet distance, scores, sliced Wasserstein) and the Inception extractor
come through this file; nothing else in tfgans may name TF-GAN or TensorFlow Hub.
"""

import importlib
import importlib.metadata
import sys
import types
from functools import cache
from pathlib import Path

TESTED = "2.1.0"
_NAMES = {
    "classifier_metrics": (
        "classifier_score_from_logits",
        "frechet_classifier_distance_from_activations",
        "kernel_classifier_distance_and_std_from_activations",
        "run_classifier_fn",
    ),
    "sliced_wasserstein": ("sliced_wasserstein_distance", "laplacian_pyramid"),
    "inception_metrics": (
        "INCEPTION_TFHUB",
        "INCEPTION_OUTPUT",
        "INCEPTION_FINAL_POOL",
        "INCEPTION_DEFAULT_IMAGE_SIZE",
    ),
}


@cache
def module(name):
    """The TF-GAN module `tensorflow_gan.python.eval.<name>`.

    Raises: ImportError naming the version found and what is missing, when TF-GAN is absent or has
        changed, or when a package that it needs cannot be imported.
    """
    try:
        distribution = importlib.metadata.distribution("tensorflow-gan")
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(f"TF-GAN is not installed: pip install tensorflow-gan=={TESTED}") from None
    found = f"tensorflow-gan {distribution.version} (tfgans is tested with {TESTED})"
    root = Path(str(distribution.locate_file("tensorflow_gan")))
    kept = {key: value for key, value in sys.modules.items() if _is_part(key)}
    _forget()
    try:
        for package in ("tensorflow_gan", "tensorflow_gan.python", "tensorflow_gan.python.eval"):
            stand_in = types.ModuleType(package)
            stand_in.__path__ = [str(root.parent.joinpath(*package.split(".")))]
            sys.modules[package] = stand_in
        loaded = importlib.import_module(f"tensorflow_gan.python.eval.{name}")
    except Exception as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = " (it needs setuptools < 81)" if "pkg_resources" in line or "distutils" in line else ""
        raise ImportError(f"{found}: eval module '{name}' cannot be imported: {line}{hint}") from error
    finally:
        _forget()
        sys.modules.update(kept)
    missing = [item for item in _NAMES[name] if not hasattr(loaded, item)]
    if missing:
        raise ImportError(f"{found}: eval module '{name}' has no {', '.join(missing)}")
    return loaded


def _is_part(key):
    return key == "tensorflow_gan" or key.startswith("tensorflow_gan.")


def _forget():
    for key in [key for key in sys.modules if _is_part(key)]:
        del sys.modules[key]


def classifier_score_from_logits(logits):
    """TF-GAN's Inception score of logits [n, k], one split; a scalar tensor."""
    return module("classifier_metrics").classifier_score_from_logits(logits)


def frechet_classifier_distance_from_activations(activations1, activations2):
    """TF-GAN's Frechet distance between activations [n, d] and [m, d]; a scalar tensor."""
    metrics = module("classifier_metrics")
    return metrics.frechet_classifier_distance_from_activations(activations1, activations2)


def kernel_classifier_distance_from_activations(activations1, activations2, max_block_size=1024):
    """TF-GAN's kernel distance and its standard error (nan for one block), scalar tensors."""
    import tensorflow as tf

    metrics = module("classifier_metrics")
    return metrics.kernel_classifier_distance_and_std_from_activations(
        tf.convert_to_tensor(activations1), tf.convert_to_tensor(activations2), max_block_size
    )


def sliced_wasserstein_distance(real, fake, **options):
    """TF-GAN's sliced Wasserstein: [(real against real, real against fake)] from the finest level on."""
    import tensorflow as tf

    distance = module("sliced_wasserstein").sliced_wasserstein_distance
    return distance(tf.convert_to_tensor(real), tf.convert_to_tensor(fake), **options)


def laplacian_pyramid(images, levels):
    """TF-GAN's Laplacian pyramid of images [n, H, W, C]: list of tensors from the finest level on."""
    return module("sliced_wasserstein").laplacian_pyramid(images, levels)


def inception_handle():
    """The TF-Hub address of TF-GAN's Inception network."""
    return module("inception_metrics").INCEPTION_TFHUB


def load_inception(handle):
    """Loads a TF-Hub handle or a SavedModel folder with TensorFlow Hub, as TF-GAN does."""
    return module("inception_metrics").tfhub.load(handle)


def run_inception(inputs, network):
    """Runs Inception as TF-GAN does.

    Args:
        inputs: float32 [n, 299, 299, 3], resized and scaled as `tfgans.evaluate.resizing` has it.
        network: callable, float32 [n, 299, 299, 3] -> {"pool_3": [n, ...], "logits": [n, ...]}.
    Returns: pooled features [n, 2048] and logits [n, 1008], tensors (widths as the network has them).
    """
    import tensorflow as tf

    inception = module("inception_metrics")
    outputs = module("classifier_metrics").run_classifier_fn(tf.convert_to_tensor(inputs), network)
    pool, logits = inception.INCEPTION_FINAL_POOL, inception.INCEPTION_OUTPUT
    count = tf.shape(inputs)[0]
    return tf.reshape(outputs[pool], (count, -1)), tf.reshape(outputs[logits], (count, -1))
