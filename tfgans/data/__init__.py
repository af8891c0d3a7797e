"""Images and points to train on: `Dataset`, and the scale of pixels."""

from tfgans.data.dataset import Dataset
from tfgans.data.items import ArrayItems, Items
from tfgans.data.libraries import FromKeras, FromTensorFlow, HuggingFace
from tfgans.data.scaling import to_float, to_uint8

__all__ = [
    "ArrayItems",
    "Dataset",
    "FromKeras",
    "FromTensorFlow",
    "HuggingFace",
    "Items",
    "to_float",
    "to_uint8",
]
