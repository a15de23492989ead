"""A network as layers in the order they run, with the edges between them."""

from __future__ import annotations

from dataclasses import dataclass

from nahas.errors import NetworkError
from nahas.layers import Layer


@dataclass(frozen=True, kw_only=True)
class Network:
    """Layers in execution order and, for each, the layers whose outputs it reads.

    Attributes:
        name: what reports call the network.
        layers: [L] layers in the order they run.
        inputs: [L] for each layer the indices of the layers it reads; -1 is the network input.

    Raises:
        NetworkError: when there is no layer, or a layer reads one that has not run yet.
    """

    name: str
    layers: tuple[Layer, ...]
    inputs: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise NetworkError(f"network '{self.name}' has no layers")
        if len(self.inputs) != len(self.layers):
            raise NetworkError(
                f"network '{self.name}' has {len(self.layers)} layers, "
                f"but inputs for {len(self.inputs)}"
            )
        for index, sources in enumerate(self.inputs):
            if not sources or min(sources) < -1 or max(sources) >= index:
                raise NetworkError(
                    f"network '{self.name}': layer '{self.layers[index].name}' reads {sources}, "
                    f"but may read only -1 (the input) to {index - 1}"
                )

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Trained numbers (moving statistics are not trained)."""
        return sum(layer.parameters for layer in self.layers)
