"""The clock: activates due jobs, advances run books, times out, recovers."""
