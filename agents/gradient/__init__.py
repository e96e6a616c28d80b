"""Policy gradients from logs."""
