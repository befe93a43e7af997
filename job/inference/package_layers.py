"""Keras layers of other packages, which a model file may need.

A model file names its classes, and loading one must not import whatever module it names. Layers of other
packages are loaded only from the modules that installed packages offer for this, as entry points of the group
`seq2seq_job.layers`. Such an entry point has the name of the package that its module registers layers with.
"""

from __future__ import annotations

from pathlib import Path

import keras

from job.errors import DataError, ModelDirectoryError
from job.spec import entry_points
from job.spec.entry_points import LAYERS
from job.storage.documents import why


def register_package_layer(registered: str, path: Path) -> None:
    """Import the module that registers a class with Keras, so that a model file with it can be loaded.

    Args:
        registered: the registered name of the class, `PACKAGE>NAME`.
        path: the model file, for errors.

    Raises:
        ModelDirectoryError: no installed package offers the class.
    """
    package, _, name = registered.partition(">")
    try:
        entry = entry_points.find(LAYERS, package)
    except DataError:
        raise ModelDirectoryError(
            f"{path} holds a {name[:60]}, which is not allowed in a model file unless an installed package "
            f"offers the layers of {package[:60]!r} (entry point group {LAYERS.name}); install the package "
            "that the model was trained with"
        ) from None
    owner = entry_points.owner(entry)
    try:
        entry.load()
    except Exception as error:  # the code of another package can raise anything
        reason = f"{type(error).__name__}: {why(error)}"
        raise ModelDirectoryError(
            f"{path} needs the layers of {owner}, which cannot be imported ({reason})"
        ) from error
    if not isinstance(keras.saving.get_registered_object(registered), type):
        raise ModelDirectoryError(
            f"{path} needs the layer {registered[:120]}, which {owner} does not register; install the "
            "version of the package that the model was trained with"
        )
