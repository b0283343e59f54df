"""Discovering: how the task ``discovery`` looks for computers."""
