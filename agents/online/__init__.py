"""Learners of values from live users."""
