"""The rows that kernels read and write: NamedTuples of plain numbers and dtypes made from them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LayerRow(NamedTuple):
    """One layer; see `nahas.layers.Layer` for the fields. All int64."""

    kind: int
    n: int
    g: int
    k: int
    c: int
    p: int
    q: int
    r: int
    s: int
    stride_p: int
    stride_q: int
    dilation_r: int
    dilation_s: int
    operands: int


LAYER = np.dtype([(name, np.int64) for name in LayerRow._fields])
