"""Of what `fuzz.py` damages: statistics, extractors of features, genotypes and others' networks."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from fuzz_data import IMAGES
from fuzz_kinds import Reader, within

from tfgans.evaluate import classifier
from tfgans.evaluate.classifier_features import ClassifierFeatures
from tfgans.evaluate.features import DigitsFeatures, InceptionFeatures
from tfgans.evaluate.frechet import Moments
from tfgans.evaluate.stability import FixedSamples
from tfgans.evaluate.statistics import Statistics
from tfgans.methods.alphagan.spaces.autogan.genotype import load_genotype
from tfgans.methods.alphagan.spaces.biggan.genotype import load_biggan_genotype
from tfgans.methods.alphagan.spaces.stylegan2.published import load_stylegan2_genotype
from tfgans.networks.stylegan2_pickles import read_stylegan2

NVIDIA = Path(__file__).parent / "golden/nvidia.pkl"


def _statistics(path):
    moments = Moments(5).update(np.random.default_rng(1).normal(size=(20, 5)))
    Statistics(moments, np.zeros((4, 5), np.float32)).save(path)


def _fixed_samples(path):
    samples = FixedSamples(path, 0)
    samples.seen(IMAGES)
    samples.metrics()


def _read_fixed_samples(path):
    sound, samples = path.read_bytes(), FixedSamples(path, 2)
    samples.seen(IMAGES)
    change = samples.metrics().get("stability_mse", 0.0)
    path.write_bytes(sound)
    assert 0.0 <= change <= 1.0


def _classifier(path):
    path.write_bytes(DigitsFeatures.path.read_bytes())


def _read_classifier(path):
    features = DigitsFeatures()
    features.path = path
    features.fingerprint()
    features.check()


def _own_classifier(path):
    about = {"name": "own", "class_names": ["a", "b"], "accuracy": 0.5, "class_accuracy": [0.5, 0.5]}
    classifier.save(classifier.network((4, 4, 1), 2), path, about)


def _inception(path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3), name="pixels")])
    def serve(pixels):
        return {"pool_3": pixels[:, 0, 0], "logits": pixels[:, -1, -1]}

    module.serve = serve
    tf.saved_model.save(module, str(path.parent), signatures={"serving_default": serve})


def _read_inception(path):
    features = InceptionFeatures(path=str(path.parent))
    features.fingerprint()
    features.check()


def _genotype(load, name):
    return lambda path: load(name).save(path)


READERS = [
    Reader("statistics", within("reference.npz", _statistics), Statistics.load),
    Reader("fixed samples", within("fixed_samples.npz", _fixed_samples), _read_fixed_samples),
    Reader("digits classifier", within("classifier.npz", _classifier), _read_classifier, 0.3),
    Reader(
        "own classifier", within("own.keras", _own_classifier), lambda p: ClassifierFeatures(p).check(), 0.1
    ),
    Reader("inception", within("saved_model.pb", _inception), _read_inception, 0.1, named=False),
    Reader("genotype", within("a.json", _genotype(load_genotype, "alphaGAN_s")), load_genotype),
    Reader(
        "genotype biggan", within("a.json", _genotype(load_biggan_genotype, "biggan")), load_biggan_genotype
    ),
    Reader(
        "genotype stylegan2",
        within("a.json", _genotype(load_stylegan2_genotype, "adversarialnas_celeba_micro_w")),
        load_stylegan2_genotype,
    ),
    Reader("nvidia pickle", within("a.pkl", lambda p: p.write_bytes(NVIDIA.read_bytes())), read_stylegan2),
]
