"""The state of a random generator as an array, so that nothing needs a pickle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HALF = 1 << 64


def generator_array(rng: np.random.Generator) -> NDArray[np.uint64]:
    """The state of a PCG64 generator [6]: two 128-bit numbers in halves, and a kept 32-bit draw.

    Raises:
        ValueError: for a generator of another kind.
    """
    state = rng.bit_generator.state
    if state["bit_generator"] != "PCG64":
        raise ValueError(f"the generator is {state['bit_generator']}: use np.random.default_rng")
    numbers = (state["state"]["state"], state["state"]["inc"])
    halves = [half for number in numbers for half in divmod(number, _HALF)]
    return np.array([*halves, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def set_generator(rng: np.random.Generator, array: NDArray[np.generic]) -> None:
    """Put a PCG64 generator into a state of `generator_array`."""
    high, low, inc_high, inc_low, has_uint32, uinteger = (int(value) for value in array)
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high * _HALF + low, "inc": inc_high * _HALF + inc_low},
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
