"""Pickles in the layout of NVIDIA's StyleGAN2-ADA, written with NumPy alone, and what may be wrong with one."""

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict

import numpy as np

STORAGES = {"<f4": "FloatStorage", "<f2": "HalfStorage", "<i8": "LongStorage", "|u1": "ByteStorage"}


class EasyDict(dict):
    pass


class Call:
    """What is pickled as a call of a function that has another's name."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def _function(module, name):
    """A function that pickles as `module.name`, whatever there is of that name here."""

    def stand_in(*arguments):
        raise AssertionError(f"{module}.{name} was called")

    stand_in.__module__, stand_in.__qualname__ = module, name
    return stand_in


REBUILD_TENSOR = _function("torch._utils", "_rebuild_tensor_v2")
REBUILD_PARAMETER = _function("torch._utils", "_rebuild_parameter")
LOAD_STORAGE = _function("torch.storage", "_load_from_bytes")
RECONSTRUCT = _function("torch_utils.persistence", "_reconstruct_persistent_obj")
EasyDict.__module__ = "dnnlib.util"


class _Pickler(pickle.Pickler):
    """Writes storages by their ids, and global names without looking for them."""

    def persistent_id(self, thing):
        return thing.id if isinstance(thing, Storage) else None


class Storage:
    """A storage on the inner level: `torch.FloatStorage` and others, by persistent id."""

    def __init__(self, array, key, view=None, count=None):
        kind = type(STORAGES[array.dtype.str], (), {"__module__": "torch"})
        self.id = ("storage", kind, key, "cpu", array.size if count is None else count, view)
        self.classes = {("torch", kind.__name__): kind}


def dumps(thing, classes=()):
    """A pickle of protocol 4, with modules of the stand-ins' names for as long as it is written."""
    named = {
        (f.__module__, f.__qualname__): f
        for f in (REBUILD_TENSOR, REBUILD_PARAMETER, LOAD_STORAGE, RECONSTRUCT)
    }
    named |= {("dnnlib.util", "EasyDict"): EasyDict} | dict(classes)
    kept = {}
    for module, name in named:
        for part in (module.split(".")[0], module):
            kept.setdefault(part, sys.modules.get(part))
            if not getattr(sys.modules.get(part), "stands_in", False):
                sys.modules[part] = types.ModuleType(part)
                sys.modules[part].stands_in = True
        setattr(sys.modules[module], name, named[module, name])
    try:
        file = io.BytesIO()
        _Pickler(file, 4).dump(thing)
        return file.getvalue()
    finally:
        for part, module in kept.items():
            sys.modules.pop(part)
            if module is not None:
                sys.modules[part] = module


def storage_bytes(array, **wrong):
    """A storage in PyTorch's first format. `wrong` replaces a part of it."""
    parts = {
        "magic": 0x1950A86A20F9469CFC6C,
        "protocol": 1001,
        "little_endian": True,
        "count": array.size,
    } | wrong
    about = {"protocol_version": 1001, "little_endian": parts["little_endian"], "type_sizes": {"int": 4}}
    storage = Storage(array, "94", wrong.get("view"))
    pickles = [parts["magic"], parts["protocol"], about, storage, ["94"]]
    file = b"".join(dumps(thing, storage.classes) for thing in pickles)
    return file + struct.pack("<q", parts["count"]) + array.tobytes()


def tensor(array, order=None, offset=0, size=None, stride=None, **wrong):
    """A tensor whose axes lie in memory in an order, after `offset` numbers of something else."""
    array = np.asarray(array)
    order = tuple(range(array.ndim)) if order is None else order
    laid = array.transpose(order).copy()
    numbers = np.concatenate([np.full(offset, 9, array.dtype), laid.ravel()])
    strides = dict(zip(order, (step // array.itemsize for step in laid.strides), strict=True))
    size = array.shape if size is None else size
    stride = tuple(strides[axis] for axis in range(array.ndim)) if stride is None else stride
    return Call(REBUILD_TENSOR, Call(LOAD_STORAGE, storage_bytes(numbers, **wrong)), offset, size, stride, False,
                OrderedDict())  # fmt: skip


def module(name, parameters=(), buffers=(), modules=(), **attributes):
    """A module, of `{name: array or Call}` and `{name: module}`."""
    wrapped = {
        key: value if isinstance(value, Call) else tensor(value) for key, value in dict(parameters).items()
    }
    state = {
        "training": False,
        "_parameters": OrderedDict(
            {k: Call(REBUILD_PARAMETER, v, True, OrderedDict()) for k, v in wrapped.items()}
        ),
        "_buffers": OrderedDict(
            {k: v if isinstance(v, Call) else tensor(v) for k, v in dict(buffers).items()}
        ),
        "_modules": OrderedDict(modules),
    } | attributes
    source = "raise SystemExit('this text is not to be run')"
    meta = dict(type="class", version=6, module_src=source, class_name=name, state=state)
    return Call(RECONSTRUCT, EasyDict(meta))


def tree(arrays, attributes):
    """Modules of `{dotted name: array}`; `attributes` are `{dotted name of a module: {name: value}}`."""

    def make(prefix):
        own = {n: a for n, a in arrays.items() if n.startswith(prefix)}
        here = {n.removeprefix(prefix): a for n, a in own.items()}
        children = dict.fromkeys(n.split(".")[0] for n in here if "." in n)
        plain = {n: a for n, a in here.items() if "." not in n}
        buffers = {n: a for n, a in plain.items() if n in ("w_avg", "noise_const", "resample_filter")}
        parameters = {n: a for n, a in plain.items() if n not in buffers}
        modules = {child: make(f"{prefix}{child}.") for child in children}
        return module("Module", parameters, buffers, modules, **attributes.get(prefix.rstrip("."), {}))

    return make("")
