"""nahas: search neural networks and the edge accelerator that runs them, together."""

from nahas._version import __version__

__all__ = ["__version__", "simulate_networks"]


def __getattr__(name: str) -> object:
    """`simulate_networks` when first asked for, so that `import nahas` compiles no kernel."""
    if name == "simulate_networks":
        from importlib import import_module

        return getattr(import_module("nahas.simulate"), name)
    raise AttributeError(f"module 'nahas' has no attribute '{name}'")
