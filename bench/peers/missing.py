"""What is said when a peer is not installed."""


class PeerMissing(Exception):
    """A peer cannot be measured on this machine; the text says what it needs."""
