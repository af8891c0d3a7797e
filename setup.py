"""What pyproject.toml has no words for: gin_configs lies beside the package here, and inside it when installed."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["tfgans", "tfgans.*"]), "tfgans.gin_configs"],
    package_dir={"tfgans.gin_configs": "gin_configs"},
)
