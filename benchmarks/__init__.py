"""Experiments: settings + score + plots. They run, then report from saved results only."""

PROJECT = "recsim_env"
"""Marks this `benchmarks` package as ours; another distribution may ship one of the same name."""
