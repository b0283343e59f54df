"""Ivanti Endpoint Security: its REST API v2 over the services of the dialect."""
