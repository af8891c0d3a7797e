"""Pickles of PyTorch modules: arrays as they were written, and nothing that is not on the list."""

import io
import os
import pathlib
import pickle

import numpy as np
import nvidia_files as nvidia
import pytest
from nvidia_files import Call, module, tensor

from tfgans import readers, torch_pickles
from tfgans.config import ConfigError

KERNEL = np.arange(2 * 3 * 4 * 4, dtype="float32").reshape(2, 3, 4, 4)


def written(path, **networks):
    path.write_bytes(nvidia.dumps({"training_set_kwargs": nvidia.EasyDict(path="x.zip")} | networks))
    return path


def read(path):
    with readers.reading(path, "a pickle"):
        networks = torch_pickles.read_networks(path, ("G", "D"))
        return {name: network.arrays() for name, network in networks.items()}


def test_tensors_are_read_however_they_lie(tmp_path):
    weight = tensor(KERNEL, order=(0, 2, 3, 1), offset=5)
    inner = module("Layer", {"weight": weight}, {"half": KERNEL.astype("<f2")})
    numbers = {"scalar": np.array(3.5, "float32"), "steps": np.array([7])}
    children = {"a": inner, "b": None}
    outer = module("Net", {}, numbers, children, gain=np.float64(0.5), width=np.int64(3))
    outer.arguments[0]["state"]["_parameters"]["bias"] = None
    path = written(tmp_path / "net.pkl", G=outer, augment_pipe=None)
    networks = torch_pickles.read_networks(path, ("G", "D"))
    assert list(networks) == ["G"] and networks["G"].kind == "Net"
    assert (networks["G"].state["gain"], networks["G"].state["width"]) == (0.5, 3)
    arrays = networks["G"].arrays()
    assert arrays.keys() == {"scalar", "steps", "a.weight", "a.half"}
    np.testing.assert_array_equal(arrays["a.weight"], KERNEL)
    np.testing.assert_array_equal(arrays["a.half"], KERNEL.astype("float16"))
    assert arrays["scalar"] == 3.5 and arrays["scalar"].shape == () and arrays["steps"].tolist() == [7]


@pytest.mark.parametrize("place", ["whole", "storage"])
@pytest.mark.parametrize(("function", "said"), [(os.system, "posix.system"), (eval, "builtins.eval")])
def test_a_pickle_that_would_call_something_else_is_refused(tmp_path, place, function, said):
    call = Call(function, f"touch {tmp_path}/ran")
    if place == "whole":
        path = written(tmp_path / "bad.pkl", G=module("Net", {}, {}, {}, hook=call))
    else:
        hidden = Call(nvidia.LOAD_STORAGE, pickle.dumps(call, 4))
        path = written(tmp_path / "bad.pkl", G=module("Net", {"w": hidden}))
    with pytest.raises(
        ConfigError, match=f"bad.pkl cannot be read as a pickle: it asks for {said}"
    ) as caught:
        read(path)
    assert str(caught.value).count("\n") == 0
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": (3, 3, 4, 4)}, "a tensor is larger than its storage"),
        ({"size": (2, 3, 4, 4), "stride": (48, 16, 4, 2)}, "a tensor is larger than its storage"),
        ({"size": (2, 3, 4, 4), "stride": (48, 16, -4, 1)}, "a tensor's sizes are wrong"),
        ({"size": (2, 3, 16)}, "a tensor's sizes are wrong"),
        ({"size": (2, 3, 4, "4")}, "a tensor's sizes are wrong"),
        ({"magic": 7}, "not in PyTorch's first format"),
        ({"protocol": 1002}, "not in PyTorch's first format"),
        ({"little_endian": False}, "not little-endian"),
        ({"count": 97}, "a storage is cut off"),
        ({"count": -1}, "a storage is cut off"),
        ({"count": 2**40}, "a storage is cut off"),
        ({"view": ("key", 0, 5)}, "a storage is none"),
    ],
)
def test_a_tensor_that_would_leave_its_storage_is_refused(tmp_path, wrong, said):
    path = written(tmp_path / "bad.pkl", G=module("Net", {"w": tensor(KERNEL, **wrong)}))
    with pytest.raises(ConfigError, match=f"bad.pkl cannot be read as a pickle: .*{said}"):
        read(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x00\x00\xfa\xde", "it is a zip file, as torch.save writes them"),
        (b"\x89HDF\r\n\x1a\n", "it is none"),
        (b"<html>Too many requests</html>", "it is none"),
        (b"\x80\x03cdnnlib.tflib.network\nNetwork\n.", "it is of NVIDIA's code for TensorFlow: legacy.py"),
    ],
)
def test_files_of_other_programs_are_told_apart(tmp_path, content, said):
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(ConfigError, match=f"bad.pkl cannot be read as a pickle: {said}"):
        read(tmp_path / "bad.pkl")


def test_what_is_cut_off_or_no_pickle_is_refused(tmp_path):
    whole = written(tmp_path / "whole.pkl", G=module("Net", {"w": KERNEL})).read_bytes()
    path = tmp_path / "bad.pkl"
    contents = [b"", b"PK", whole[:100], whole[: len(whole) // 2], whole[:-1], pickle.dumps([1], 4)]
    for content in [
        *contents,
        nvidia.dumps(5),
        b"\x80\x04K\x01r\xff\xff\xff\x7f.",
    ]:  # the last: object 2,147,483,647
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="bad.pkl cannot be read as a pickle: "):
            read(path)


def test_modules_that_hold_themselves_end(tmp_path):
    state = {"_parameters": {}, "_buffers": {}, "_modules": {}}
    network = torch_pickles.Module("Net", state)
    state["_modules"] |= {"a": network, "b": network}
    with pytest.raises(ValueError, match="without end"):
        network.arrays()


def test_a_persistent_id_outside_storages_is_refused(tmp_path):
    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            return "id" if thing == "thing" else None

    file = io.BytesIO()
    Pickler(file, 4).dump({"G": "thing"})
    (tmp_path / "bad.pkl").write_bytes(file.getvalue())
    with pytest.raises(ConfigError, match="it holds a persistent id"):
        read(tmp_path / "bad.pkl")


def test_the_page_has_the_number_of_names_that_a_file_may_ask_for():
    page = (pathlib.Path(__file__).parent.parent / "docs/transfer.md").read_text()
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    assert f"the file may ask for {words[len(torch_pickles._KNOWN)]} names" in page
