"""Images and points to train on: `Dataset`, and the scale of pixels."""

from tfgans.data.dataset import Dataset
from tfgans.data.scaling import to_float, to_uint8

__all__ = ["Dataset", "to_float", "to_uint8"]
