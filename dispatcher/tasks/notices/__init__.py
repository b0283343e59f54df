"""Notices: how the user of a computer is told what is about to happen to it, and may answer."""
