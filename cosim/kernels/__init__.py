"""Numba kernels: pure functions on arrays, importing nothing else of the package."""
