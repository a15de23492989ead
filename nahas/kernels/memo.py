"""Places of keys in a table of answers: what was asked before is found, the rest gets a place."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from nahas.kernels._jit import kernel

Array = NDArray[Any]


@kernel()
def find_rows(keys: Array, places: Array, known: int, rows: Array, fresh: Array) -> int:
    """Give every key its row, and new keys the next ones.

    Open addressing: a key stands in the first free place from its remainder on, so a search
    that meets a free place has shown that the key is new.

    Args:
        keys: [N] int64, 0 or more.
        places: [2, S] int64, changed: the key of each place, -1 where it is free, and its row.
            At least one place stays free.
        known: rows that are given.
        rows: [N] int64, written.
        fresh: [N] int64, written as far as it goes: where each new key stands first.

    Returns:
        How many keys were new.
    """
    size = places.shape[1]
    new = 0
    for i in range(keys.size):
        place = keys[i] % size
        while places[0, place] >= 0 and places[0, place] != keys[i]:
            place = place + 1 if place + 1 < size else 0
        if places[0, place] < 0:
            places[0, place], places[1, place] = keys[i], known + new
            fresh[new] = i
            new += 1
        rows[i] = places[1, place]
    return new
