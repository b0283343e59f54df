"""Dispatcher: an open job dispatcher that legacy automation clients talk to unchanged."""

__version__ = "0.1.0"
