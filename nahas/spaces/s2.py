"""The paper's second space: EfficientNet-B0 with the kernel and expansion of every block open.

Squeeze-and-excitation is left out and swish is ReLU, because both are slow on the accelerator
(paper notes, section 4.2, with high certainty). Each of the 16 inverted bottlenecks chooses its
kernel (3, 5, 7) and, but for the first, its expansion (3, 6): 3 * 6**15 = 1.41e12 networks, which
agrees with the size recalled of the paper, with low certainty.
"""

from __future__ import annotations

from nahas.spaces.kernel_and_expansion import kernel_and_expansion
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.skeletons import EFFICIENTNET_B0


def network_space() -> NetworkSpace:
    """The space `s2`: 31 decisions, 1.41e12 networks."""
    return kernel_and_expansion("s2", EFFICIENTNET_B0)
