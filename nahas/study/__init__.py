"""The store of every trial."""
