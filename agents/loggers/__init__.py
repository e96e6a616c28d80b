"""Stochastic recommenders on visible clicks and popularity: they make the logs."""
