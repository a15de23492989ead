"""A recurrent policy: decision after decision, each given those before it, and its ascent.

With t_d the token of decision d's value (0 is the start) and a table, a matrix U and heads W, b,

    i, f, a, o = table[t_(d-1)] + h_(d-1) U               (sigmoid, sigmoid, tanh, sigmoid)
    c_d = f c_(d-1) + i a,    h_d = o tanh(c_d)            the long short-term memory
    p(value of d | values before) = softmax(h_d W_d + b_d) over the allowed values

The ascent is that of PPO's clipped objective with an entropy bonus (arXiv 1707.06347, equation
7), through all decisions back. Rows are dealt to blocks by their number alone, each block sums
its own gradient, and blocks are added in order: threads change no bit.

All weights are one vector; `parts` cuts it. Floats have its precision, tests use both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from nahas.kernels._jit import kernel

Array = NDArray[Any]

Sizes = tuple[int, int, int, int]
"""Tokens, width of the memory, decisions, and the most values of one."""

MOST_ROWS = 32
"""Rows of a block: its activations then stay in a core's second cache."""

FAR = 12.0
"""Where tanh is 1 to ten digits."""


@kernel(inline=True)
def blocks_of(rows: int) -> int:
    """Blocks of so many rows: two at least, so that two threads share a small batch."""
    return max(min(rows, 2), (rows + MOST_ROWS - 1) // MOST_ROWS)


@kernel(inline=True)
def squashed(x: float) -> float:
    """Tanh to 2e-9, without a branch or a call, so that loops over it are vectors.

    Four terms of Lambert's continued fraction at x / 4, as p / q, then tanh(2y) = 2pq / (p² + q²)
    twice.
    """
    y = 0.25 * min(max(x, -FAR), FAR)
    square = y * y
    p = y * (945.0 + square * (105.0 + square))
    q = 945.0 + square * (420.0 + square * 15.0)
    p, q = 2.0 * p * q, p * p + q * q
    return 2.0 * p * q / (p * p + q * q)


@kernel(inline=True)
def opened(x: float) -> float:
    """The logistic function: how far a gate is open."""
    return 0.5 + 0.5 * squashed(0.5 * x)


@kernel()
def parts(flat: Array, sizes: Sizes) -> tuple[Array, Array, Array, Array]:
    """The table [T, 4H], U [H, 4H], heads [D, H, K] and biases [D, K] in a vector: views."""
    tokens, width, steps, values = sizes
    a = tokens * 4 * width
    b = a + width * 4 * width
    c = b + steps * width * values
    return (
        flat[:a].reshape(tokens, 4 * width),
        flat[a:b].reshape(width, 4 * width),
        flat[b:c].reshape(steps, width, values),
        flat[c:].reshape(steps, values),
    )


@kernel()
def add_product(a: Array, b: Array, out: Array) -> None:
    """`out` [M, N] += a [M, L] b [L, N], four terms of a sum at a time."""
    terms = a.shape[1]
    whole = terms - terms % 4
    for i in range(a.shape[0]):
        for k in range(0, whole, 4):
            a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
            for j in range(b.shape[1]):
                out[i, j] += a0 * b[k, j] + a1 * b[k + 1, j] + a2 * b[k + 2, j] + a3 * b[k + 3, j]
        for k in range(whole, terms):
            for j in range(b.shape[1]):
                out[i, j] += a[i, k] * b[k, j]


@kernel()
def remember(gates: Array, before: Array, after: Array, hidden: Array) -> None:
    """One step of the memory of R rows; loops over few arrays each, which become vectors.

    Args:
        gates: [R, 4H] their sums; changed into i, f, a, o.
        before: [R, H] the cells before.
        after: [R, H] the cells after, written; may be `before`.
        hidden: [R, H] written.
    """
    width = hidden.shape[1]
    for r in range(hidden.shape[0]):
        gate, old, new, out = gates[r], before[r], after[r], hidden[r]
        i, f, a, o = (
            gate[:width],
            gate[width : 2 * width],
            gate[2 * width : 3 * width],
            gate[-width:],
        )
        for j in range(2 * width):
            gate[j] = opened(gate[j])
        for j in range(width):
            a[j] = squashed(a[j])
        for j in range(width):
            o[j] = opened(o[j])
        for j in range(width):
            new[j] = f[j] * old[j] + i[j] * a[j]
        for j in range(width):
            out[j] = o[j] * squashed(new[j])


@kernel()
def forget(gates: Array, cells: tuple[Array, Array], slopes: tuple[Array, Array]) -> None:
    """The same step back.

    Args:
        gates: [R, 4H] i, f, a, o; changed into the slopes of their sums.
        cells: [R, H] before and after.
        slopes: [R, H] of hidden, read, and of the cell after, changed to that of the cell before.
    """
    width = cells[0].shape[1]
    for r in range(gates.shape[0]):
        gate, old, new = gates[r], cells[0][r], cells[1][r]
        of_hidden, of_cell = slopes[0][r], slopes[1][r]
        i, f, a, o = (
            gate[:width],
            gate[width : 2 * width],
            gate[2 * width : 3 * width],
            gate[-width:],
        )
        for j in range(width):
            told = squashed(new[j])
            of_cell[j] += of_hidden[j] * o[j] * (1.0 - told * told)
            o[j] = of_hidden[j] * told * o[j] * (1.0 - o[j])
        for j in range(width):
            opening = i[j]
            i[j] = of_cell[j] * a[j] * opening * (1.0 - opening)
            a[j] = of_cell[j] * opening * (1.0 - a[j] * a[j])
        for j in range(width):
            opening = f[j]
            f[j] = of_cell[j] * old[j] * opening * (1.0 - opening)
            of_cell[j] *= opening


@kernel()
def take_logs(logits: Array, allowed: Array) -> None:
    """Logits [R, K] become log-probabilities; of what is not `allowed` [K], minus infinity."""
    for r in range(logits.shape[0]):
        row = logits[r]
        most = -np.inf
        for k in range(row.size):
            if allowed[k]:
                most = max(most, row[k])
        total = 0.0
        for k in range(row.size):
            if allowed[k]:
                total += np.exp(row[k] - most)
        total = most + np.log(total)
        for k in range(row.size):
            row[k] = row[k] - total if allowed[k] else -np.inf


@kernel(inline=True)
def drawn(logs: Array, allowed: Array, uniform: float) -> int:
    """The value whose share of [0, 1] holds `uniform`; probabilities may sum to less than 1."""
    reached, last = 0.0, -1
    for k in range(logs.size):
        if allowed[k]:
            reached += np.exp(logs[k])
            last = k
            if uniform < reached:
                return last
    return last


@kernel()
def sample_block(
    weights: Array, sizes: Sizes, values: tuple[Array, Array], uniforms: Array,
    choices: Array, logs: Array,
) -> None:  # fmt: skip
    """`sample` of the rows of one block."""
    table, recurrent, heads, biases = parts(weights, sizes)
    first, allowed = values
    rows, width = len(choices), sizes[1]
    gates = np.empty((rows, 4 * width), weights.dtype)
    cells = np.zeros((rows, width), weights.dtype)
    hidden = np.zeros((rows, width), weights.dtype)
    logits = np.empty((rows, sizes[3]), weights.dtype)
    for d in range(sizes[2]):
        for r in range(rows):
            gates[r] = table[first[d - 1] + choices[r, d - 1] if d > 0 else 0]
            logits[r] = biases[d]
        add_product(hidden, recurrent, gates)
        remember(gates, cells, cells, hidden)
        add_product(hidden, heads[d], logits)
        take_logs(logits, allowed[d])
        for r in range(rows):
            if uniforms[r, d] >= 0.0:
                choices[r, d] = drawn(logits[r], allowed[d], uniforms[r, d])
            logs[r, d] = logits[r, choices[r, d]]


@kernel(parallel=True)
def sample(
    weights: Array, sizes: Sizes, values: tuple[Array, Array], uniforms: Array,
    choices: Array, logs: Array,
) -> None:  # fmt: skip
    """Draw choices by the inverse of each distribution.

    Args:
        weights: the vector of `parts`.
        sizes: as above.
        values: [D] the first token of each decision, and [D, K] the values it may take.
        uniforms: [B, D] draws from [0, 1]; below 0 where the choice is given.
        choices: [B, D] int64, written where they are not given.
        logs: [B, D] written: the log-probability of every decision.
    """
    rows = len(choices)
    blocks = blocks_of(rows)
    for block in prange(blocks):
        a, b = rows * block // blocks, rows * (block + 1) // blocks
        sample_block(weights, sizes, values, uniforms[a:b], choices[a:b], logs[a:b])


@kernel()
def take_slopes(
    logs: Array, allowed: Array, batch: tuple[Array, Array, Array, Array],
    knobs: tuple[float, float],
) -> float:  # fmt: skip
    """Log-probabilities [R, K] of one decision become slopes of the objective by its logits.

    The objective of a row is its share times min(ratio gain, clipped ratio gain) + entropy
    weight times entropy. Where the clip holds the ratio, the first term has no slope.

    Args:
        logs: [R, K] changed.
        allowed: [K].
        batch: [R] what was chosen, its log-probability then, the gain, and the share.
        knobs: the clip range, and the entropy's weight.

    Returns:
        The objective's sum over the rows.
    """
    clip, weight = knobs
    total = 0.0
    for r in range(logs.shape[0]):
        row, chosen, gain, share = logs[r], batch[0][r], batch[2][r], batch[3][r]
        ratio = np.exp(row[chosen] - batch[1][r])
        held = ratio > 1.0 + clip if gain > 0.0 else ratio < 1.0 - clip
        followed = 0.0 if held else share * ratio * gain
        entropy = 0.0
        for k in range(row.size):
            if allowed[k]:
                entropy -= np.exp(row[k]) * row[k]
        total += share * (min(ratio * gain, min(max(ratio, 1.0 - clip), 1.0 + clip) * gain))
        total += share * weight * entropy
        for k in range(row.size):
            if allowed[k]:
                p = np.exp(row[k])
                row[k] = -followed * p - share * weight * p * (row[k] + entropy)
            else:
                row[k] = 0.0
        row[chosen] += followed
    return total


@kernel()
def forward(
    weights: Array, sizes: Sizes, tokens: Array, gates: Array, cells: Array, hidden: Array
) -> None:
    """All steps of R rows, everything kept.

    Args:
        weights: as in `sample`.
        sizes: likewise.
        tokens: [D, R] what each step reads.
        gates: [D, R, 4H] written.
        cells: [D + 1, R, H] written, from the zeros that stand first on.
        hidden: likewise.
    """
    table, recurrent, _, _ = parts(weights, sizes)
    for d in range(sizes[2]):
        for r in range(tokens.shape[1]):
            gates[d, r] = table[tokens[d, r]]
        add_product(hidden[d], recurrent, gates[d])
        remember(gates[d], cells[d], cells[d + 1], hidden[d + 1])


@kernel()
def climb_block(
    weights: Array, sizes: Sizes, values: tuple[Array, Array],
    batch: tuple[Array, Array, Array, Array], knobs: tuple[float, float], slopes: Array,
) -> float:  # fmt: skip
    """The objective of the rows of one block, and its slope by every weight."""
    first, allowed = values
    choices, logs, gains, shares = batch
    _, recurrent, heads, biases = parts(weights, sizes)
    by_table, by_recurrent, by_heads, by_biases = parts(slopes, sizes)
    rows, (_, width, steps, most) = len(choices), sizes
    kind = weights.dtype
    tokens = np.zeros((steps, rows), np.int64)
    for d in range(1, steps):
        tokens[d] = first[d - 1] + choices[:, d - 1]
    gates = np.empty((steps, rows, 4 * width), kind)
    cells = np.zeros((steps + 1, rows, width), kind)
    hidden = np.zeros((steps + 1, rows, width), kind)
    forward(weights, sizes, tokens, gates, cells, hidden)
    back = np.ascontiguousarray(recurrent.T)
    of_hidden = np.zeros((rows, width), kind)
    of_cell = np.zeros((rows, width), kind)
    logits = np.empty((rows, most), kind)
    total = 0.0
    for d in range(steps - 1, -1, -1):
        logits[:] = biases[d]
        add_product(hidden[d + 1], heads[d], logits)
        take_logs(logits, allowed[d])
        told = (choices[:, d], logs[:, d], gains, shares[:, d])
        total += take_slopes(logits, allowed[d], told, knobs)
        for r in range(rows):
            by_biases[d] += logits[r]
        add_product(hidden[d + 1].T, logits, by_heads[d])
        add_product(logits, np.ascontiguousarray(heads[d].T), of_hidden)
        forget(gates[d], (cells[d], cells[d + 1]), (of_hidden, of_cell))
        for r in range(rows):
            by_table[tokens[d, r]] += gates[d, r]
        of_hidden[:] = 0.0
        add_product(gates[d], back, of_hidden)
    read = hidden[:steps].reshape(steps * rows, width)
    add_product(read.T, gates.reshape(steps * rows, 4 * width), by_recurrent)
    return total


@kernel(parallel=True)
def slopes_of(
    weights: Array, sizes: Sizes, values: tuple[Array, Array],
    batch: tuple[Array, Array, Array, Array], knobs: tuple[float, float], slopes: Array,
) -> float:  # fmt: skip
    """PPO's objective of a batch, and its slope by every weight.

    Args:
        weights: as in `sample`.
        sizes: likewise.
        values: likewise.
        batch: choices [B, D], their log-probabilities when they were drawn [B, D], gains [B],
            and the share of every decision in the mean [B, D], 0 where it does not apply.
        knobs: the clip range, and the entropy's weight.
        slopes: like `weights`, written.
    """
    choices, logs, gains, shares = batch
    rows = len(choices)
    blocks = blocks_of(rows)
    of_blocks = np.zeros((blocks, weights.size), weights.dtype)
    totals = np.zeros(blocks)
    for block in prange(blocks):
        a, b = rows * block // blocks, rows * (block + 1) // blocks
        part = (choices[a:b], logs[a:b], gains[a:b], shares[a:b])
        totals[block] = climb_block(weights, sizes, values, part, knobs, of_blocks[block])
    slopes[:] = 0.0
    total = 0.0
    for block in range(blocks):
        slopes += of_blocks[block]
        total += totals[block]
    return total


@kernel()
def ascend(weights: Array, slopes: Array, moments: Array, rate: float, step: int) -> None:
    """One step of Adam uphill (arXiv 1412.6980, with its decays 0.9 and 0.999).

    Args:
        weights: changed.
        slopes: of what is to grow.
        moments: [2, P] averages of slopes and of their squares, changed.
        rate: the learning rate.
        step: counts from 1.
    """
    size = rate * np.sqrt(1.0 - 0.999**step) / (1.0 - 0.9**step)
    for i in range(weights.size):
        moments[0, i] += (slopes[i] - moments[0, i]) * (1.0 - 0.9)
        moments[1, i] += (slopes[i] * slopes[i] - moments[1, i]) * (1.0 - 0.999)
        weights[i] += size * moments[0, i] / (np.sqrt(moments[1, i]) + 1e-7)
