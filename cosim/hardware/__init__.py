"""Machines: one file per kind, found by name. The ``kind`` of an arch file names the module to import."""
