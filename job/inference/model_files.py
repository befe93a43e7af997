"""Load `.keras` files from untrusted sources: each file is checked before Keras builds anything.

A model file is a zip of `config.json`, which names the classes to build, `metadata.json` and the weights.
Only Keras's own layers, operations and initializers, this package's layers, and those that installed packages
offer (see `package_layers.py`) are allowed. A file that could run code, read another file or exhaust memory
is rejected, independently of Keras's safe mode.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from job.inference.package_layers import register_package_layer
from job.storage.documents import open_regular, parse_json

PARTS = ("config.json", "metadata.json", "model.weights.h5")
"""The members of a model file; a file with other members is rejected."""

MAX_CONFIG_BYTES = 1 << 26
"""Maximum size of `config.json` and `metadata.json`, unpacked."""

MAX_RATIO = 20
"""Maximum compression ratio of a member. Keras does not compress, and weights hardly compress."""

OWN_PACKAGE = "seq2seq_job>"
"""Prefix of the registered names of this package's layers."""

_MODULES = (
    "keras.layers",
    "keras.initializers",
    "keras.regularizers",
    "keras.constraints",
    "keras.activations",
    "keras.dtype_policies",
    "keras.ops",
    "keras.models",
    "keras.src.layers",
    "keras.src.models",
    "keras.src.initializers",
    "keras.src.activations",
    "keras.src.dtype_policies",
    "keras.src.ops",
)
_ACTIVATIONS = ("keras.activations", "keras.src.activations", "builtins")
_VALUES = ("__keras_tensor__", "__tuple__", "__slice__", "__ellipsis__", "slice", "tuple", "dict")
"""Class names of plain values in a config, which have no module."""

_REFUSED = (
    "Lambda",  # runs a function from the file
    "TFSMLayer",  # loads another model from a path in the file
    "TorchModuleWrapper",
    "JaxLayer",
    "FlaxLayer",
    "StringLookup",  # this and the next two read a file whose path is in the model file
    "IntegerLookup",
    "TextVectorization",
)


def load_model_file(path: Path) -> keras.Model:
    """Load a model, without its optimizer.

    Raises:
        Exception: The file is damaged; Keras raises exceptions of many types.
        OSError: The file cannot be read.
        ValueError: The file is not a model file, or contains a class that is not allowed.
        ModelDirectoryError: The file needs a layer of a package that does not offer it, or is not installed.
    """
    check_model_file(path)
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path.name} holds a {type(model).__name__}, not a model")
    return model


def check_model_file(path: Path) -> None:
    """Check the size and the classes of a model file; arguments and errors: see `load_model_file`."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        names = sorted(member.filename for member in members)
        if names != sorted(PARTS):
            raise ValueError(f"{path.name} holds {', '.join(names)[:100]}; expected {', '.join(PARTS)}")
        for member in members:
            _check_size(path, member)
        config = parse_json(archive.read("config.json"), finite=False)
        parse_json(archive.read("metadata.json"))
        if archive.testzip() is not None:
            raise ValueError(f"{path.name} is damaged")
    for described in _class_configs(config):
        _check_class(path, described)


def _check_size(path: Path, member: zipfile.ZipInfo) -> None:
    limit = MAX_RATIO * member.compress_size
    if member.filename.endswith(".json"):
        limit = min(limit, MAX_CONFIG_BYTES)
    if member.file_size > limit:
        raise ValueError(
            f"{path.name}: {member.filename} unpacks to {member.file_size:,} bytes, which is too many"
        )


def _class_configs(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a config that names a class, at any depth."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for inner in value.values():
            yield from _class_configs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _class_configs(inner)


def _check_class(path: Path, described: Mapping[str, Any]) -> None:
    name, module = described["class_name"], described.get("module")
    registered = described.get("registered_name")
    refusal = f"{path.name} holds a {str(name)[:60]}, which is not allowed in a model file"
    if not isinstance(name, str) or name in _REFUSED or registered in _REFUSED:
        raise ValueError(refusal)
    if isinstance(registered, str) and registered.startswith(OWN_PACKAGE):
        return
    if module is None and name in _VALUES:
        return
    if isinstance(registered, str) and ">" in registered:  # registered by another package
        register_package_layer(registered, path)
        return
    if name == "function":
        known = isinstance(described.get("config"), str) and hasattr(keras.activations, described["config"])
        if known and module in _ACTIVATIONS:
            return
        raise ValueError(refusal)
    if not isinstance(module, str) or not (module == "keras" or _below(module)):
        raise ValueError(refusal)


def _below(module: str) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in _MODULES)
