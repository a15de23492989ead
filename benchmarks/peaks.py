"""What one core executes in a second of each class of instructions, nothing else in its way."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from machine_code import ADD, ANY, CHOOSE, DIVIDE, PACKED, ROUND, SCALAR, Job, executed, issued

BLOCK = 64
"""Numbers that a vectorised loop works on, eight steps each; a scalar one works on 12."""

STEPS = {
    DIVIDE: lambda a, y: y / a,
    ROUND: lambda a, y: y - np.ceil(a),  # what is rounded twice, LLVM rounds once
    CHOOSE: lambda a, y: min(max(a, 0.75), y),
    ADD: lambda a, y: a * 0.5 + y,
}
"""Steps of one instruction of a class, or two; no number grows or vanishes."""


def chains(step: Any) -> Any:
    """A loop that repeats `step` on 12 numbers, which do not wait for one another."""

    @numba.njit
    def four(a: Any, y: Any) -> Any:
        return step(a[0], y), step(a[1], y), step(a[2], y), step(a[3], y)

    @numba.njit
    def run(numbers: Any, turns: Any) -> None:
        y = numbers[0]
        a = numbers[1], numbers[2], numbers[3], numbers[4]
        b = numbers[5], numbers[6], numbers[7], numbers[8]
        c = numbers[9], numbers[10], numbers[11], numbers[12]
        for _ in range(BLOCK // 2 * turns[0]):
            a, b, c = four(a, y), four(b, y), four(c, y)
        for i in range(4):
            numbers[1 + i] = a[i] + b[i] + c[i]

    return run


def vectorised(step: Any) -> Any:
    """A loop that repeats `step` on a block of numbers, in vectors if LLVM finds any."""

    @numba.njit
    def twice(a: Any, y: Any) -> Any:
        return step(step(a, y), y)

    @numba.njit
    def run(numbers: Any, turns: Any) -> None:
        y = numbers[0]
        for _ in range(turns[0]):
            for i in range(1, 1 + BLOCK):
                numbers[i] = twice(twice(twice(twice(numbers[i], y), y), y), y)

    return run


def peaks(turns: int) -> dict[tuple[str, str], Job]:
    """Loops that keep one class busy, in either form, and what to call them with."""
    length = np.array([turns])

    def numbers() -> Any:
        return np.linspace(1.0, 1.5, 1 + BLOCK)

    jobs: dict[tuple[str, str], Job] = {}
    for what, plain in STEPS.items():
        step = numba.njit(error_model="numpy")(plain)
        jobs[what, SCALAR] = (chains(step), (numbers(), length))
        jobs[what, PACKED] = (vectorised(step), (numbers(), length))
    mix = numba.njit(lambda a, y: (a ^ 5) + y)
    jobs[ANY, SCALAR] = (chains(mix), (np.arange(1 + BLOCK), length))
    return jobs


def peak_rates(jobs: dict[Any, Job], calls: dict[Any, float]) -> dict[str, dict[str, float]]:
    """Results per second of each class, scalar and, where LLVM packs any, packed.

    Args:
        jobs: of `peaks`.
        calls: of each, per second.
    """
    rates: dict[str, dict[str, float]] = {}
    for (what, form), (run, tables) in jobs.items():
        count = executed(run, *tables)
        if (what, form) == (DIVIDE, SCALAR) and issued(count, what) != 6 * BLOCK * tables[1][0]:
            raise RuntimeError("the divisions that a loop executes are not those that it counts")
        if form == SCALAR or issued(count, what, packed=True):
            results = sum(lanes * times for (of, lanes), times in count.items() if of == what)
            rates.setdefault(what, {})[form] = results * calls[what, form]
    return rates
