"""Simulated beside measured latency on Edge TPUs: Coral, Pixel 4 and Pixel 6.

Every network with an exact layer list, or one of `classics`, and a measured latency is
simulated on the preset of the device. Nothing is fitted: rank correlation needs no scale.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nahas.datafiles import packaged
from nahas.errors import InteropError
from nahas.hardware import preset
from nahas.network import Network
from nahas.simulate import simulate_networks
from nahas.trust.classics import classics
from nahas.trust.layer_lists import read_layer_lists

DEVICES = {
    "coral_usb_x86": "coral",
    "coral_devboard": "coral",
    "coral_usb_x86_py": "coral",
    "coral_devboard_py": "coral",
    "pixel4_edgetpu": "pixel-4",
    "pixel6_edgetpu": "pixel-6",
}
"""The preset that stands for each measured device."""

MEASURED, PUBLISHED = "measured_latency.csv", "edge_latencies.csv"


@dataclass(frozen=True)
class Compared:
    """One network on one device; no simulated latency where it cannot run there."""

    network: str
    macs: int
    measured_ms: float
    simulated_ms: float | None


@dataclass(frozen=True)
class DeviceError:
    """How far simulation and measurement are apart on one device.

    Attributes:
        device: its name in the measurements; `hardware` the preset simulated.
        networks: those compared.
        missing: those measured without a layer list, which nothing here can build.
        kendall, spearman: rank correlation of simulated and measured latency.
        macs_kendall, macs_spearman: with multiply-accumulates in place of the simulation.
        slower: median of measured / simulated.
    """

    device: str
    hardware: str
    networks: tuple[Compared, ...]
    missing: tuple[str, ...]
    kendall: float
    spearman: float
    macs_kendall: float
    macs_spearman: float
    slower: float


@dataclass(frozen=True)
class DeviceComparison:
    """All devices."""

    devices: tuple[DeviceError, ...]

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {"devices": [asdict(device) for device in self.devices]}


def compare_with_devices(folder: Path) -> DeviceComparison:
    """Simulate every network that was measured on an Edge TPU and can be built.

    Args:
        folder: with `nets_layers.json` and `measured_latency.csv`; of what is measured there and
            published in the packaged table, the folder's figure counts.

    Raises:
        InteropError: when a file is missing or damaged.
    """
    networks = classics() | read_layer_lists(folder)
    latencies = _latencies(packaged(PUBLISHED)) | _latencies(folder / MEASURED)
    return DeviceComparison(
        tuple(
            _compared(
                device, {net: ms for (on, net), ms in latencies.items() if on == device}, networks
            )
            for device in DEVICES
        )
    )


def _latencies(path: Path) -> dict[tuple[str, str], float]:
    """Milliseconds by device and network; devices that are no Edge TPU are passed over."""
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            found = {}
            for row in reader:
                name = "net" if "net" in row else "network"
                if row["device"] in DEVICES:
                    found[row["device"], row[name]] = float(row["latency_ms"])
    except OSError as error:
        raise InteropError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise InteropError(
            f"{path}:{reader.line_num}: device, net and latency_ms are needed: {error}"
        ) from error
    return found


def _compared(device: str, measured: dict[str, float], networks: dict[str, Network]) -> DeviceError:
    from scipy.stats import kendalltau, spearmanr

    known = [name for name in measured if name in networks]
    chosen = [networks[name] for name in known]
    simulated = simulate_networks(chosen, [preset(DEVICES[device])]).latency_ms[:, 0]
    latency = np.array([measured[name] for name in known])
    macs = np.array([network.macs for network in chosen], np.float64)
    runs = np.isfinite(simulated)
    rows = zip(known, macs, latency, simulated, strict=True)
    return DeviceError(
        device=device,
        hardware=DEVICES[device],
        networks=tuple(
            Compared(name, int(work), float(ms), float(ours) if np.isfinite(ours) else None)
            for name, work, ms, ours in rows
        ),
        missing=tuple(name for name in measured if name not in networks),
        kendall=float(kendalltau(simulated, latency).statistic),
        spearman=float(spearmanr(simulated, latency).statistic),
        macs_kendall=float(kendalltau(macs, latency).statistic),
        macs_spearman=float(spearmanr(macs, latency).statistic),
        slower=float(np.median(latency[runs] / simulated[runs])),
    )
