"""What every test stands on: threads and seeds fixed, no screen, no accelerator, shared data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

# Read when numba, TensorFlow and matplotlib are first imported, hence before anything else.
os.environ.setdefault("NUMBA_NUM_THREADS", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

# Last, so that `tests.oracle` is found but an installed nahas comes before the checkout.
sys.path.append(str(ROOT))

# Kernels compile on their first example, so there is no deadline and no complaint of slowness.
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=2000)
settings.load_profile(os.environ.get("NAHAS_HYPOTHESIS", "ci"))


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the colours and the width of whoever runs it."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data: NAHAS_SHARED, or `shared` beside the checkout."""
    folder = Path(os.environ.get("NAHAS_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}: set NAHAS_SHARED to their folder")
    return folder


@pytest.fixture(scope="session", params=["compiled", "plain"])
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Calls a kernel with arguments: compiled, and as the plain Python that it was written as."""
    if request.param == "compiled":
        return lambda kernel, *arguments: kernel(*arguments)
    return lambda kernel, *arguments: getattr(kernel, "py_func", kernel)(*arguments)
