"""The formats of `launch/export.py`: how each is written, by Keras's own exporters, and run where it is used.

Each class has `file`, the name it is written by; `missing()`, what is not installed, or None;
`write(network, signature, path)`; `opened(path)`, in whose block there is a function latents (and labels) -> outputs
that runs the file in its own runtime, with the threads that takes by itself; and `exact`, whether outputs are to be
Keras's to rounding.
"""

import contextlib
import importlib.util
import json
import logging
import re
import shutil
import subprocess
import tempfile
from importlib.metadata import version

import numpy as np
import tensorflow as tf

from tfgans import readers


class SavedModel:
    """TensorFlow's format: a folder that `tf.saved_model.load`, TensorFlow Serving and others open."""

    file, exact = "saved_model", True

    def missing(self):
        return None

    def write(self, network, signature, path):
        network.export(path, format="tf_saved_model", verbose=False, input_signature=signature)

    @contextlib.contextmanager
    def opened(self, path):
        loaded = tf.saved_model.load(str(path))  # holds the variables
        serve = loaded.signatures["serving_default"]
        yield lambda **given: _only(serve(**{name: tf.constant(value) for name, value in given.items()}))

    def runtime(self):
        return f"tensorflow {tf.__version__}"


class Onnx:
    """ONNX, written by tf2onnx and run by onnxruntime on the processor."""

    file, exact = "generator.onnx", True

    def missing(self):
        return _without_modules("onnx", "tf2onnx", "onnxruntime")

    def write(self, network, signature, path):
        logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)  # it logs what it then raises, and more
        network.export(path, format="onnx", verbose=False, input_signature=signature)
        self._refuse_unknown(path)

    def _refuse_unknown(self, path):
        """tf2onnx leaves what it cannot translate in the file."""
        import onnx

        for node in _nodes(onnx.load(path).graph):
            if not onnx.defs.has(node.op_type, node.domain):
                raise ValueError(f"ONNX has no operation {node.op_type}, which {_place(node.name)} needs")

    @contextlib.contextmanager
    def opened(self, path):
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        yield lambda **given: session.run(None, given)[0]

    def runtime(self):
        return f"onnxruntime {version('onnxruntime')}"


class LiteRT:
    """LiteRT (TensorFlow Lite), of its built-in operations alone, run by ai-edge-litert's interpreter.

    Args:
        quantize: None; `float16`, for weights of half the size; or `int8`, for weights of a quarter, which the
            interpreter multiplies with activations that it rounds to 8 bits as they come.
    """

    def __init__(self, quantize=None):
        self.quantize, self.exact = quantize, quantize is None
        self.file = "generator.tflite" if quantize is None else f"generator_{quantize}.tflite"

    def missing(self):
        return _without_modules("ai_edge_litert")

    def write(self, network, signature, path):
        target = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
        options = {} if self.exact else {"optimizations": [tf.lite.Optimize.DEFAULT]}
        if self.quantize == "float16":
            target["supported_types"] = [tf.float16]
        options |= {"target_spec": target, "verbose": False, "input_signature": signature}
        try:
            network.export(path, format="litert", **options)
        except Exception as error:
            raise ValueError(_of_converter(str(error)) or readers.reason(error)) from error

    @contextlib.contextmanager
    def opened(self, path):
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path))
        runner = interpreter.get_signature_runner()
        yield lambda **given: _only(runner(**given))

    def runtime(self):
        return f"ai-edge-litert {version('ai-edge-litert')}"


_SCRIPT = """
const tf = require('@tensorflow/tfjs'), fs = require('fs'), path = require('path');
const folder = process.argv[1], about = JSON.parse(fs.readFileSync(path.join(folder, 'model.json')));
const files = about.weightsManifest.flatMap(group => group.paths).map(name => path.join(folder, name));
const bytes = new Uint8Array(Buffer.concat(files.map(name => fs.readFileSync(name))));
const weights = about.weightsManifest.flatMap(group => group.weights);
const load = async () => ({...about, weightSpecs: weights, weightData: bytes.buffer});
(async () => {
  const model = await tf.loadGraphModel({load});
  console.log(JSON.stringify(tf.version.tfjs));
  for await (const line of require('readline').createInterface({input: process.stdin})) {
    const inputs = {};
    for (const [name, [values, shape, type]] of Object.entries(JSON.parse(line)))
      inputs[name] = tf.tensor(values, shape, type);
    const images = await model.executeAsync(inputs);
    console.log(JSON.stringify([Array.from(await images.data()), images.shape]));
  }
})();
"""


class TensorFlowJS:
    """A graph model of TensorFlow.js, by its converter, which is a program; run by Node.js on the processor.

    The converter does not install beside this TensorFlow: it is taken from an environment of its own.
    """

    file, exact = "tfjs", True
    _version = None

    def missing(self):
        if not shutil.which("tensorflowjs_converter"):
            return (
                "needs tensorflowjs_converter, which does not install beside TensorFlow 2.21: python -m venv tfjs && "
                "tfjs/bin/pip install tensorflowjs==4.22.0 'ydf<0.12'; then begin with PATH=$PWD/tfjs/bin:$PATH"
            )
        resolve = ["node", "-e", "require.resolve('@tensorflow/tfjs')"]
        if not shutil.which("node") or subprocess.run(resolve, capture_output=True).returncode:
            return "is tried in Node.js: install that, and here its package: npm install @tensorflow/tfjs"
        return None

    def write(self, network, signature, path):
        with tempfile.TemporaryDirectory() as saved:
            SavedModel().write(network, signature, saved)
            kinds = ["--input_format=tf_saved_model", "--output_format=tfjs_graph_model"]
            command = ["tensorflowjs_converter", *kinds, saved, str(path)]
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise ValueError(f"tensorflowjs_converter failed: {said[-1] if said else done.returncode}")

    @contextlib.contextmanager
    def opened(self, path):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with subprocess.Popen(["node", "-e", _SCRIPT, str(path)], **pipes) as node:
            try:
                self._version = _answer(node)
                yield lambda **given: _asked(node, given)
            finally:
                node.kill()

    def runtime(self):
        return f"tensorflow.js {self._version}"


def _asked(node, given):
    packed = {name: [v.ravel().tolist(), v.shape, v.dtype.name] for name, v in given.items()}
    node.stdin.write(json.dumps(packed) + "\n")
    node.stdin.flush()
    values, shape = _answer(node)
    return np.reshape(np.asarray(values, "float32"), shape)


def _answer(node):
    line = node.stdout.readline()
    if not line:
        errors = [line.strip() for line in node.stderr.read().splitlines() if "Error" in line]
        raise ValueError(f"TensorFlow.js cannot run it: {errors[0] if errors else 'it has ended'}")
    return json.loads(line)


def _without_modules(*names):
    missing = [name for name in names if not importlib.util.find_spec(name)]
    return f"needs {', '.join(missing)}: pip install 'tfgans[export]'" if missing else None


def _only(outputs):
    (value,) = outputs.values()
    return value


def _nodes(graph):
    """All nodes of an ONNX graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _place(path):
    """Where in the generator an operation is, without the names of what is around it."""
    return re.sub("^exported[^/]*/[^/]*/", "", path)


def _of_converter(text):
    """What TensorFlow Lite's converter has no operation for, and where; None if it says nothing of the kind."""
    errors = [line for line in text.splitlines() if ": error: loc(" in line]
    named = r'fused\["(?P<name>\w+):", "(?P<path>[^"@]+)'
    unknown = r'loc\("(?P<path>[^"]+)"\): \'tf\.(?P<name>\w+)\''
    errors.sort(key=lambda line: "op is neither" not in line)  # those are sure, the others likely
    for line in errors:
        found = re.search(named, line) or re.search(unknown, line)
        if found:
            return f"LiteRT has no operation {found['name']}, which {_place(found['path'])} needs"
    return None
