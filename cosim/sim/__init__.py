"""Event simulation at the granularity of tiles and transfers, on the same counts as the closed form."""
