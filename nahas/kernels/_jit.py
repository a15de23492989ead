"""The only place with Numba options.

Numba's cache does not notice a changed callee in another file, and does not key on
NUMBA_BOUNDSCHECK. So the cache lives in a folder named by a hash of every kernel source and
of that setting: an upgrade never runs old machine code, and a warm start is kept.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel_fingerprint() -> str:
    """Hash of all kernel sources: changes whenever any count or cost could change."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where compiled kernels of this very source are kept."""
    root = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    checked = f"-boundscheck{numba.config.BOUNDSCHECK}" if numba.config.BOUNDSCHECK else ""  # type: ignore[attr-defined]  # numba.config fills itself at run time
    return Path(root).expanduser() / "nahas" / (kernel_fingerprint() + checked)


def _usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


_FOLDER = cache_folder()
_CACHED = _usable(_FOLDER)


def kernel(*, parallel: bool = False, inline: bool = False) -> Callable[[F], F]:
    """Compile a kernel, caching the machine code under `cache_folder()` where it is writable.

    Args:
        parallel: whether `prange` loops run on all threads.
        inline: whether callers take the body in. Rows passed between small functions then stay
            in registers: the bounds of `kernels.search` run 2.4 times faster so than called, the
            whole search 1.7 times (benchmarks/kernels.py). Such bodies also divide without
            asking whether the divisor is 0, which keeps loops free of branches: write none
            that can be, in floats only.
            The tests also run them as plain Python, which raises.
    """

    def compile_with_our_cache(function: F) -> F:
        before = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # as above
        numba.config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]  # as above
        try:
            compiled: F = numba.njit(
                function,
                cache=_CACHED,
                parallel=parallel,
                forceinline=inline,
                error_model="numpy" if inline else "python",
            )
        finally:
            numba.config.CACHE_DIR = before  # type: ignore[attr-defined]  # as above
        return compiled

    return compile_with_our_cache
