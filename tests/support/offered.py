"""Packages that offer problems or models, written into a folder as an installer leaves them."""

import shutil
import subprocess
import sys
import zipfile
from textwrap import dedent

MODEL_CODE = '''
import keras
from job.models.architecture_plugin import Encoded, Step

class Network:
    """A decoder that knows the last source token and the previous symbol."""

    def __init__(self, sizes):
        self.source = keras.layers.Embedding(sizes.source, sizes.target, name="source_embedding")
        self.target = keras.layers.Embedding(sizes.target, sizes.target, name="target_embedding")

    def encode(self, source, mask):
        last = self.source(source)[:, -1]
        return Encoded(context=last, memory={"last": last})

    def decode(self, inputs, encoded):
        return self.target(inputs) + encoded.memory["last"][:, None]

    def step(self, inputs, states, memory):
        return Step(output=self.target(inputs) + memory["last"][:, None], states={})

class Model:
    def build(self, sizes):
        return Network(sizes)

    def count_parameters(self, sizes):
        return (sizes.source + sizes.target) * sizes.target

def build(options):
    return Model()
'''
"""A module whose `build` is the factory of a small model without states and attention."""


def install(folder, package, code, *, name="mine", target=None, version="1.0", group="problems", layers=None):
    """Install a distribution of one module that offers a problem or a model `name`, and layers."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{package}.py").write_text(dedent(code))
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    offered = f"[seq2seq_job.{group}]\n{name} = {package}:{target or 'build'}\n"
    if layers is not None:
        offered += f"[seq2seq_job.layers]\n{layers} = {package}\n"
    (info / "entry_points.txt").write_text(offered)


def install_example(example, folder):
    """Build an example's package and unpack it, as `pip install --target` does, also without pip.

    Returns:
        The folder with the package, a folder inside `folder`.
    """
    source, wheels = shutil.copytree(example, folder / "source"), folder / "wheels"
    wheels.mkdir()
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(wheels)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "target")
    return folder / "target"
