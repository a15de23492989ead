"""Write a model with Keras, save it, read the file without Keras, and simulate it.

Run: python examples/keras_model.py
"""

import tempfile
from pathlib import Path

import keras

from nahas.errors import InteropError
from nahas.hardware import preset
from nahas.interop.keras_in import read_keras
from nahas.simulate import simulate


def small_model() -> keras.Model:
    """A classifier of 64 x 64 pictures with one inverted bottleneck."""
    x = pictures = keras.Input((64, 64, 3))
    x = keras.layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(x)
    x = y = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    for layer in (
        keras.layers.Conv2D(64, 1, use_bias=False),
        keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False),
        keras.layers.Conv2D(16, 1, use_bias=False),
    ):
        y = keras.layers.BatchNormalization()(layer(y))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([x, y]))
    return keras.Model(pictures, keras.layers.Dense(10, activation="softmax")(x), name="small")


def main() -> None:
    """Save, read, simulate; then meet a layer that cannot be read."""
    model = small_model()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.keras"
        model.save(path)
        network = read_keras(path)
    print(f"Keras counts {model.count_params()} numbers, of which moving averages are not trained")

    cost = simulate(network, preset("edge-baseline"))
    print(f"{'layer':24}{'MACs':>10}{'cycles':>9}  bound by")
    for layer in cost.layers:
        name, bound = layer.layer.name, layer.bound.name.lower()
        print(f"{name:24}{layer.layer.macs:>10}{layer.cycles:9.0f}  {bound}")
    print(f"{cost.latency_ms * 1e3:.2f} us, {cost.energy_mj * 1e3:.2f} uJ")

    recurrent = keras.Sequential([keras.Input((8, 4)), keras.layers.LSTM(3)], name="recurrent")
    try:
        read_keras(recurrent)
    except InteropError as error:
        print(f"what cannot be read is named: {error}")


if __name__ == "__main__":
    main()
