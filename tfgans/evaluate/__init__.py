"""Measuring what a generator makes: Frechet distance and friends, coverage, cost."""
