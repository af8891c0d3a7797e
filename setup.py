"""Packaging of tfgans; tested versions of what it depends on are in constraints.txt."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
CONFIGS = sorted(str(p.relative_to(ROOT / "gin_configs")) for p in (ROOT / "gin_configs").rglob("*.gin"))

setup(
    name="tfgans",
    version="0.1.0",
    description="Training GANs better, with TensorFlow and Keras 3",
    long_description=(ROOT / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*find_packages(include=["tfgans", "tfgans.*"]), "tfgans.gin_configs"],
    package_dir={"tfgans.gin_configs": "gin_configs"},
    package_data={"tfgans.compare": ["*.jinja"], "tfgans.evaluate": ["*.npz"], "tfgans.gin_configs": CONFIGS},
    install_requires=[
        "absl-py",
        "gin-config>=0.5",
        "Jinja2",
        "keras>=3.15",
        "matplotlib",
        "numpy>=2",
        "Pillow",
        "scikit-learn",
        "scipy",
        "setuptools<81",  # tensorflow-hub, which TF-GAN imports, needs its pkg_resources
        "tensorboard",
        "tensorflow>=2.21",
        "tensorflow-datasets",
        "tensorflow-gan==2.1.0",
        "tqdm",
    ],
    extras_require={
        "test": ["pytest", "pytest-timeout", "pytest-xdist", "ruff"],
        "gpu": ["tensorflow[and-cuda]>=2.21"],
    },
    entry_points={"console_scripts": ["tfgans = tfgans.commands.command_line:console"]},
)
