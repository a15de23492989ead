"""A cost model of layers: for any network, summed with the simulator's own rules.

What the simulator spends its time on, the search for every layer's mapping, is replaced by a Keras
model. All else is exact, because it is the simulator: what stays on chip between layers, vector
layers, prefetch, start-up and drain, the energy of a byte, the area. `pairs` draws what is learned
from, `features` says what the model sees, `costs` what it predicts.
"""

from nahas.costmodel.layerwise.learning import LayerRecipe, train
from nahas.costmodel.layerwise.model import LayerCostModel, load

__all__ = ["LayerCostModel", "LayerRecipe", "load", "train"]
