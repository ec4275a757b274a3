"""Results: manifest, per-layer table, totals, parameters with their sources, and their files."""
