"""Networks that PyTorch programs of NVIDIA's have pickled (StyleGAN2-ADA, StyleGAN3), read without running any of it.

Their pickles hold modules as calls of `torch_utils.persistence`, with the source text of their classes, which the
official loader executes; tensors are calls of PyTorch's, storages files in its first format. Here each call that such
a file has is replaced by one that keeps what it is given, and a file with any other is refused. NumPy reads the rest.
"""

import dataclasses
import io
import math
import pickle
import pickletools
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of PyTorch's first format
_MOST_MODULES = 10_000  # of one network, counted as often as they are held
_STORAGES = {
    "torch.BoolStorage": "?",
    "torch.ByteStorage": "<u1",
    "torch.CharStorage": "<i1",
    "torch.ShortStorage": "<i2",
    "torch.IntStorage": "<i4",
    "torch.LongStorage": "<i8",
    "torch.HalfStorage": "<f2",
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
}


@dataclasses.dataclass
class Module:
    """A module of a network.

    Attributes:
        kind: the name of its class.
        state: its attributes, `_parameters`, `_buffers` and `_modules` (each {name: thing}) among them.
    """

    kind: str
    state: dict

    def arrays(self):
        """`{dotted name: array}` of all parameters and buffers. Raises: whatever there is if it is broken."""
        found, left, seen = {}, [("", self)], 0
        while left:
            prefix, module = left.pop()
            seen += 1
            if seen + len(left) > _MOST_MODULES:
                raise ValueError("its modules hold each other without end")
            for name, array in (module.state["_parameters"] | module.state["_buffers"]).items():
                if isinstance(array, np.ndarray):
                    found[f"{prefix}{name}"] = array
            children = module.state["_modules"].items()
            left += [(f"{prefix}{name}.", child) for name, child in children if child is not None]
        return found


def read_networks(path, names):
    """`{name: Module}` of those of `names` that a pickle has, such as G, D and G_ema.

    Call it in `readers.reading`: whatever is wrong with the file raises whatever there is.
    """
    data = Path(path).read_bytes()
    if not data.startswith(pickle.PROTO):
        kind = "a zip file, as torch.save writes them" if data.startswith(b"PK") else "none"
        raise ValueError(f"it is {kind}")
    content = _load(io.BytesIO(data), _KNOWN)
    if not isinstance(content, dict):
        raise ValueError("it is not a dictionary of networks")
    return {name: content[name] for name in names if isinstance(content.get(name), Module)}


class _Loader(pickle.Unpickler):
    """Knows a closed list of names, and storages by their persistent ids if it is given a function of these."""

    def __init__(self, stream, known, storage):
        super().__init__(stream)
        self.known, self.storage = known, storage

    def find_class(self, module, name):
        if module.startswith("dnnlib.tflib"):
            raise ValueError(
                "it is of NVIDIA's code for TensorFlow: legacy.py of StyleGAN2-ADA for PyTorch turns it into one "
                "that can be read"
            )
        if f"{module}.{name}" not in self.known:
            raise ValueError(f"it asks for {module}.{name}, which no network of NVIDIA's has")
        return self.known[f"{module}.{name}"]

    def persistent_load(self, pid):
        if self.storage is None:
            raise ValueError("it holds a persistent id")
        return self.storage(*pid)


def _load(stream, known, storage=None):
    """The next object of a stream, once no operation of it asks for more than there is."""
    start = stream.tell()
    for count, (operation, argument, _) in enumerate(pickletools.genops(stream)):
        if "PUT" in operation.name and argument is not None and argument > count:
            raise ValueError(
                "its numbers of objects are wrong"
            )  # for which the unpickler would take any memory
    stream.seek(start)
    return _Loader(stream, known, storage).load()


class _Dtype:
    """A dtype of numpy's as it was pickled: the real one would take any state."""

    def __init__(self, name, *_):
        self.dtype = np.dtype({"b1": "?", "i8": "<i8", "i4": "<i4", "f8": "<f8", "f4": "<f4"}[name])

    def __setstate__(self, state):
        if state[1] not in ("<", "|"):
            raise ValueError("its numbers are not little-endian")


class _EasyDict(dict):
    """A dictionary whose entries the original takes by attribute, too."""


def _scalar(dtype, data):
    return np.frombuffer(data, dtype.dtype, 1)[0].item()


def _module(meta):
    if meta["type"] != "class" or not isinstance(meta["state"], dict):
        raise ValueError("one of its modules is none")
    return Module(str(meta["class_name"]), meta["state"])


def _parameter(array, requires_grad=True, hooks=None):
    return array


def _tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    """An array out of a storage. Raises: ValueError if it would leave it."""
    size, stride = tuple(size), tuple(stride)
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise ValueError("a tensor's sizes are wrong")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) > storage.size or (math.prod(size) and last >= storage.size):
        raise ValueError("a tensor is larger than its storage")
    if not math.prod(size):
        return np.zeros(size, storage.dtype)
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides).copy()


def _storage(data):
    """The numbers of a storage, a vector, out of a file in PyTorch's first format."""
    stream, dtypes = io.BytesIO(data), {}

    def note(kind, dtype, key, location, count, view=None):
        if kind != "storage" or view is not None:
            raise ValueError("a storage is none")
        dtypes[key] = np.dtype(dtype)
        return key

    if (_load(stream, {}), _load(stream, {})) != (_MAGIC, _PROTOCOL):
        raise ValueError("a storage is not in PyTorch's first format")
    if _load(stream, {})["little_endian"] is not True:
        raise ValueError("its numbers are not little-endian")
    wanted, arrays = _load(stream, _STORAGES, note), {}
    for key in _load(stream, {}):
        (count,) = struct.unpack("<q", stream.read(8))
        dtype = dtypes[key]
        numbers = stream.read(max(count, 0) * dtype.itemsize)
        if count < 0 or len(numbers) != count * dtype.itemsize:
            raise ValueError("a storage is cut off")
        arrays[key] = np.frombuffer(numbers, dtype)
    return arrays[wanted]


_KNOWN = {
    "collections.OrderedDict": OrderedDict,
    "dnnlib.util.EasyDict": _EasyDict,
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage._load_from_bytes": _storage,
    "torch_utils.persistence._reconstruct_persistent_obj": _module,
}
