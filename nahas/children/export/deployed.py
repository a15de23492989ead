"""The model that is deployed: a trained child that takes pixels as cameras give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.children.quiet import import_keras


def deployed(
    child: Any,
    mean: NDArray[np.float32],
    deviation: NDArray[np.float32],
    *,
    probabilities: bool = False,
) -> Any:
    """A Keras model of pixels of 0 to 255 [B, H, W, C] that standardises them itself.

    Args:
        child: a model of standardised pixels that gives logits.
        mean: [C] of the pixels over 255 that the child was trained with.
        deviation: likewise.
        probabilities: whether it gives the softmax of the logits.
    """
    keras = import_keras()
    pixels = keras.Input(child.input_shape[1:], name="pixels")
    standardise = keras.layers.Rescaling(
        scale=(1 / (255 * deviation.astype(np.float64))).tolist(),
        offset=(-mean.astype(np.float64) / deviation).tolist(),
        name="standardised",
    )
    output = child(standardise(pixels))
    if probabilities:
        output = keras.layers.Softmax(name="probabilities")(output)
    return keras.Model(pixels, output, name=child.name)
