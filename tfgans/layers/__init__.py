"""Keras layers of generators and discriminators, right in second and third derivatives."""
