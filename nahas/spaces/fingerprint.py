"""What networks are, as a hash: every operation, its numbers and its tensors."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from nahas.errors import NahasError
from nahas.spaces.builder import Builder, LayerBuilder

ASKED = ("channels",)
"""What a network asks its builder, which makes nothing."""


def networks_hash(functions: Iterable[Callable[[Builder[Any]], object]]) -> str:
    """SHA-256 of what networks do, in order: equal for functions that differ in form alone.

    It sees what layers do not tell, such as an activation that the output path applies; `part`,
    which only names weights, is left out. A network that cannot be built counts as such.
    """
    digest = hashlib.sha256()
    for function in functions:
        told = _Told()
        try:
            function(told)
        except NahasError:
            told.calls.append("cannot be built")
        digest.update("\n".join([*told.calls, ""]).encode())
    return digest.hexdigest()


class _Told:
    """A builder over the layer reading that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._on = LayerBuilder("network")

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._on, name)
        if name in ASKED:
            return method
        signature = inspect.signature(method)

        def call(*args: Any, **how: Any) -> Any:
            given = signature.bind(*args, **how)
            given.apply_defaults()
            said = {key: value for key, value in given.arguments.items() if key != "part"}
            self.calls.append(f"{name} {said}")
            return method(*args, **how)

        return call
