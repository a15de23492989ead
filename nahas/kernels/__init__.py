"""The simulator: pure functions over arrays, compiled by Numba."""
