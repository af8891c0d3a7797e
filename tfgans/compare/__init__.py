"""Comparisons of configurations: runs over seeds, statistics, one page."""
