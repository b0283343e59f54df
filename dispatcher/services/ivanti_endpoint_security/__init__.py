"""Ivanti Endpoint Security: its jobs, deployments, endpoints, groups and custom patch lists, over the core."""
