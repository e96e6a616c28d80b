"""Controls that imitate logs, and neighbours."""
