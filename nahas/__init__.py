"""nahas: search neural networks and the edge accelerator that runs them, together."""

from nahas._version import __version__

__all__ = ["__version__"]
