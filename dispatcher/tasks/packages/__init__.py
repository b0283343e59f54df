"""Packages: what the task type ``package`` is made of: names, package managers, and whether a restart is needed."""
