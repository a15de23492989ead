"""Simulated beside measured latency on two int8 FPGA accelerators, for thousands of networks.

The measurements are those of Accel-NASBench: networks of the space `mnasnet` on a ZCU102 (DPU
B4096, batch 1) and on a VCK190 (batch 6). Squeeze-excitation ends in a sigmoid and a product with
the gate, which these cores run slowly, so besides the simulated latency there is one term for it:

    latency = a * simulated + b * words that gates multiply + c

with a, b, c >= 0 fitted by least squares on `CALIBRATED` networks of the upstream train part. All
that is reported is taken on the upstream validation and test parts, which the fit never sees.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nahas.accuracy.measurements import read_column, read_measurements
from nahas.datafiles import packaged
from nahas.hardware import Hardware, load_hardware
from nahas.network import Network
from nahas.simulate import simulate_networks
from nahas.spaces import mnasnet
from nahas.vocabulary import LayerKind

BOARDS = {"zcu102": "latency_zcu102_mean", "vck190": "latency_vck190_mean"}
"""Columns of measured latency, in ms."""

CALIBRATED = 200
"""Networks that the three constants of a board are fitted on."""

SEED = 0
"""Which networks of the train part these are."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BoardError:
    """How far simulation and measurement are apart on one board, on networks held out.

    Attributes:
        board: its name.
        networks: how many are compared; `plain` of them have no squeeze-excitation.
        kendall, spearman: rank correlation of predicted and measured latency.
        kendall_plain: Kendall's tau of the simulated latency itself, no constant fitted, on
            networks without squeeze-excitation.
        macs_kendall, macs_kendall_plain: the same for multiply-accumulates in its place.
        macs_kendall_fitted: with multiply-accumulates in the fit in place of the simulation.
        median_error: median of how far predicted / measured is from 1, either way.
        scale: a, without unit.
        gate_ns_per_word: b, in ns per word.
        constant_ms: c.
    """

    board: str
    networks: int
    plain: int
    kendall: float
    spearman: float
    kendall_plain: float
    macs_kendall: float
    macs_kendall_plain: float
    macs_kendall_fitted: float
    median_error: float
    scale: float
    gate_ns_per_word: float
    constant_ms: float


@dataclass(frozen=True)
class DpuComparison:
    """Both boards."""

    calibrated: int
    boards: tuple[BoardError, ...]

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {"calibrated": self.calibrated, "boards": [asdict(board) for board in self.boards]}


def dpu() -> Hardware:
    """The B4096 core as the edge template sees it; its file names the sources."""
    return load_hardware(packaged("dpu.yaml"))


def compare_with_dpus(folder: Path) -> DpuComparison:
    """Simulate every measured network and hold the latencies beside each other.

    Args:
        folder: with `measured.csv.gz` and `splits.json` of Accel-NASBench.

    Raises:
        AccuracyError: when a file is missing or damaged.
    """
    measured = read_measurements(folder)
    network = mnasnet.network_space().network
    networks = [network(choice) for choice in measured.choices]
    simulated = simulate_networks(networks, [dpu()]).latency_ms[:, 0]
    macs = np.array([each.macs for each in networks], np.float64)
    gates = np.array([_gated_words(each) for each in networks], np.float64)
    held_out = np.union1d(measured.parts["val"], measured.parts["test"])
    train = np.setdiff1d(measured.parts["train"], held_out)
    boards = []
    for board, column in BOARDS.items():
        latency = read_column(folder, column)
        known = np.random.default_rng(SEED).permutation(train[np.isfinite(latency[train])])
        part = (known[:CALIBRATED], held_out[np.isfinite(latency[held_out])])
        boards.append(_board_error(board, (simulated, macs, gates), latency, part))
    return DpuComparison(CALIBRATED, tuple(boards))


def _gated_words(network: Network) -> int:
    return sum(layer.output_words for layer in network.layers if layer.kind is LayerKind.SCALE)


def _board_error(
    board: str,
    figures: tuple[Floats, Floats, Floats],
    latency: Floats,
    part: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> BoardError:
    from scipy.stats import kendalltau, spearmanr

    simulated, macs, gates = figures
    fitted_on, rest = part
    plain = rest[gates[rest] == 0]
    constants = _fitted(simulated[fitted_on], gates[fitted_on], latency[fitted_on])
    predicted = constants[0] * simulated + constants[1] * gates + constants[2]
    by_macs = _fitted(macs[fitted_on], gates[fitted_on], latency[fitted_on])
    predicted_by_macs = by_macs[0] * macs + by_macs[1] * gates + by_macs[2]

    def kendall(figure: Floats, rows: NDArray[np.int64]) -> float:
        return float(kendalltau(figure[rows], latency[rows]).statistic)

    return BoardError(
        board=board,
        networks=len(rest),
        plain=len(plain),
        kendall=kendall(predicted, rest),
        spearman=float(spearmanr(predicted[rest], latency[rest]).statistic),
        kendall_plain=kendall(simulated, plain),
        macs_kendall=kendall(macs, rest),
        macs_kendall_plain=kendall(macs, plain),
        macs_kendall_fitted=kendall(predicted_by_macs, rest),
        median_error=float(np.median(np.abs(predicted[rest] / latency[rest] - 1.0))),
        scale=float(constants[0]),
        gate_ns_per_word=float(constants[1] * 1e6),
        constant_ms=float(constants[2]),
    )


def _fitted(figure: Floats, gates: Floats, latency: Floats) -> Floats:
    """The constants a, b, c >= 0 of least squared error; columns are scaled for the solver."""
    from scipy.optimize import nnls

    columns = np.stack([figure, gates, np.ones_like(figure)], axis=1)
    scale = np.maximum(columns.max(axis=0), 1e-300)
    constants: Floats = nnls(columns / scale, latency)[0] / scale
    return constants
