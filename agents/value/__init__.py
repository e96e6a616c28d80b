"""Learners of values from logs."""
