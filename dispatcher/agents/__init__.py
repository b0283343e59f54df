"""Agents: the protocol, the gateway on the server and the runner on the managed computer."""
