"""Command line: one file per command; parsing, exit codes and rendering, nothing else."""
