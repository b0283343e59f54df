"""The performance figures, measured side by side with peers: ``python -m bench`` (Linux only)."""
