"""Costs of layers on accelerators, each pair solved once in the life of a space.

A search proposes neighbours of what it proposed before: most layers of a batch have met their
accelerator already, with the same things on chip around them.
"""

from __future__ import annotations

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from nahas.kernels.memo import find_rows
from nahas.kernels.records import CostRow, CountsRow, MappingRow
from nahas.kernels.solve import solve_pairs
from nahas.sequence import Estimate
from nahas.vocabulary import Objective

BITS = {"accelerator": 18, "layer": 16, "reserved": 26, "flags": 3}
"""A key is one whole number of 63 bits. A space has 2**18 accelerators at most (`points.MOST`), a
memory 64 megabytes (CACTI's table ends before), and no space known has 65,536 different layers."""

MOST = 1 << 20
"""Pairs that are kept: 150 MB. Then all are forgotten, and the next ones are solved again."""


class PairCosts:
    """Knows the costs of pairs of a layer and an accelerator by their numbers.

    Threads may share it.

    Args:
        objective: what each mapping minimises.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = int(objective)
        self._lock = Lock()
        self._known = np.empty((0, len(CostRow._fields)))
        self._places = np.full((2, 1), -1, np.int64)
        self._count = 0

    def of(self, layers: NDArray[np.int64], accelerators: NDArray[np.int64]) -> Estimate:
        """The costs of pairs, for `nahas.sequence.estimate_designs`.

        Args:
            layers: [N] the number of each layer of a batch, alike for equal rows.
            accelerators: [B] the number of each accelerator.
        """

        def costs(
            rows: NDArray[np.int64],
            points: NDArray[np.float64],
            pairs: NDArray[np.int64],
            stays: NDArray[np.float64],
        ) -> NDArray[np.float64]:
            keys = keys_of(layers[pairs[:, 0]], accelerators[pairs[:, 1]], stays)
            with self._lock:
                try:
                    return self._costs(keys, (rows, points, pairs, stays))
                except BaseException:
                    self._forget()  # keys whose costs were not written
                    raise

        return costs

    def _costs(
        self,
        keys: NDArray[np.int64],
        batch: tuple[
            NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]
        ],
    ) -> NDArray[np.float64]:
        self._make_room(len(keys))
        where, fresh = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64)
        count = find_rows(keys, self._places, self._count, where, fresh)
        if count:
            rows, points, pairs, stays = batch
            new = fresh[:count]
            solved = self._known[self._count : self._count + count]
            unread = (
                np.empty((count, len(MappingRow._fields)), np.int64),
                np.empty((count, len(CountsRow._fields))),
                np.empty(count, np.int64),
            )
            solve_pairs(rows, points, pairs[new], stays[new], self._objective, (solved, *unread))
            self._count += count
        return self._known[where]

    def _make_room(self, more: int) -> None:
        """Room for so many further pairs, half of all places empty."""
        if self._count + more > MOST:
            self._forget()
        needed = self._count + more
        if needed > len(self._known):
            size = max(needed, 2 * len(self._known))
            known = np.empty((size, len(CostRow._fields)))
            known[: self._count] = self._known[: self._count]
            places = np.full((2, 2 * size + 1), -1, np.int64)
            taken = self._places[0] >= 0
            keys = self._places[0, taken][np.argsort(self._places[1, taken])]
            find_rows(keys, places, 0, np.empty_like(keys), np.empty_like(keys))
            self._known, self._places = known, places

    def _forget(self) -> None:
        self._count = 0
        self._places = np.full_like(self._places, -1)


def keys_of(
    layers: NDArray[np.int64], accelerators: NDArray[np.int64], stays: NDArray[np.float64]
) -> NDArray[np.int64]:
    """A whole number for each pair and what stays on chip around it."""
    inputs, outputs, reserved, weights = stays.astype(np.int64).T
    columns = {"accelerator": accelerators, "layer": layers, "reserved": reserved}
    for name, column in columns.items():
        if column.max(initial=0) >> BITS[name]:
            raise OverflowError(f"{name} {column.max()} has more than {BITS[name]} bits")
    keys = accelerators << BITS["layer"] | layers
    keys = keys << BITS["reserved"] | reserved
    found: NDArray[np.int64] = keys << BITS["flags"] | weights << 2 | inputs << 1 | outputs
    return found
