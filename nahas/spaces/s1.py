"""The paper's first space: MobileNetV2 with the kernel and expansion of every block open.

Each of the 17 inverted bottlenecks chooses its kernel (3, 5, 7) and, but for the first, its
expansion (3, 6). Lists: paper notes, section 4.1, with middling certainty; 3 * 6**16 = 8.46e12
networks agrees with the size recalled of the paper.
"""

from __future__ import annotations

from nahas.spaces.kernel_and_expansion import kernel_and_expansion
from nahas.spaces.networks import NetworkSpace
from nahas.spaces.skeletons import MOBILENET_V2


def network_space() -> NetworkSpace:
    """The space `s1`: 33 decisions, 8.46e12 networks."""
    return kernel_and_expansion("s1", MOBILENET_V2, "relu6")
