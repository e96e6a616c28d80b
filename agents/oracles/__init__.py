"""Policies that read the simulator's hidden state, beyond the myopic one."""
