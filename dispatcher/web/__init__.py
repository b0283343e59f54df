"""The web layer: routing to bindings, authentication, quotas, deadlines, listeners."""
