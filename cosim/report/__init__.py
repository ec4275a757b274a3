"""Figures and reports: one function per figure, from a data frame to axes."""
