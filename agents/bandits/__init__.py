"""Linear bandits that learn from live users."""
