"""The closed vocabularies of nahas, as integers so that tables can hold them."""

from enum import IntEnum


class LayerKind(IntEnum):
    """What a layer computes. CONVOLUTION covers every layer of multiply-accumulates."""

    CONVOLUTION = 0
    POOL = 1
    ADD = 2
    SCALE = 3
    ACTIVATION = 4

    @property
    def is_vector(self) -> bool:
        """Whether the layer runs on the vector path: no weights, no multiply-accumulates."""
        return self is not LayerKind.CONVOLUTION


class Objective(IntEnum):
    """What the mapper minimises; ties fall to the other of latency and energy."""

    LATENCY = 0
    ENERGY = 1
    EDP = 2


class Mapspace(IntEnum):
    """Which mappings of the edge template a search looks at; docs/mapspace.md defines them.

    DATAFLOWS is what an edge compiler would try. FULL adds every number of instances, tiles and
    held blocks. The last two are regions of FULL: those mappings alone whose local memory keeps
    weights, or outputs, in place.
    """

    DATAFLOWS = 0
    FULL = 1
    FULL_WEIGHT = 2
    FULL_OUTPUT = 3


class Bound(IntEnum):
    """What the latency of a layer is spent on."""

    COMPUTE = 0
    LOCAL_MEMORY = 1
    IO = 2


class Reason(IntEnum):
    """Why a layer, or a design, cannot run. OK is feasible.

    PREDICTED is a learned cost model's guess; the simulator never says so. The last three are of
    designs whose network's accuracy could not be measured, whether they can run or not.
    """

    OK = 0
    REGISTER_FILE = 1
    LOCAL_MEMORY = 2
    PREDICTED = 3
    WORKER_LOST = 4
    OUT_OF_MEMORY = 5
    TIME_LIMIT = 6


GIVEN_UP = (Reason.WORKER_LOST, Reason.OUT_OF_MEMORY, Reason.TIME_LIMIT)
"""Why a network has no accuracy though it could be trained."""


class Tensor(IntEnum):
    """The three tensors of a layer, in the order of every table."""

    WEIGHTS = 0
    INPUTS = 1
    OUTPUTS = 2


class Access(IntEnum):
    """What happens to a word at a level: read, written from outside, written from inside."""

    READS = 0
    FILLS = 1
    UPDATES = 2


class Level(IntEnum):
    """The temporal levels of a mapping, outermost first."""

    DRAM = 0
    LOCAL_MEMORY = 1
    REGISTER_FILE = 2


class Dim(IntEnum):
    """Loop dimensions. K and C count output and input channels of ONE of the G groups."""

    N = 0
    G = 1
    K = 2
    C = 3
    P = 4
    Q = 5
    R = 6
    S = 7


class Slot(IntEnum):
    """Where a loop of a mapping stands, outermost first: even slots are temporal, odd spatial.

    The edge template spreads PE_ARRAY over PEs, LANE_ARRAY over the lanes of a PE and
    DATAPATH over SIMD units and their dot products. A shared buffer with PEs below it
    (Timeloop's reference hierarchy) leaves PE_ARRAY empty and spreads LANE_ARRAY over PEs.
    """

    DRAM = 0
    PE_ARRAY = 1
    LOCAL_MEMORY = 2
    LANE_ARRAY = 3
    REGISTER_FILE = 4
    DATAPATH = 5


class Dataflow(IntEnum):
    """What stays in place while a nest's innermost loops advance; see `nahas.dataflow`.

    ANY is no dataflow of its own: as a wish, whichever is best; as an answer, none of the others.
    """

    ANY = 0
    WEIGHT = 1
    OUTPUT = 2
    INPUT = 3
    ROW = 4


class DramOrder(IntEnum):
    """Which tensor the innermost loops of DRAM leave in place, and along what inputs slide.

    Outermost first: G K C Q P, G K C P Q, G K P Q C, G C Q P K and G C P Q K. No other order of
    these loops moves less of any tensor. [docs/mapspace.md]
    """

    WEIGHTS_STAY_P = 0
    WEIGHTS_STAY_Q = 1
    OUTPUTS_STAY = 2
    INPUTS_STAY_P = 3
    INPUTS_STAY_Q = 4
