"""The hall: use cases. A service opens the transaction, checks the permission, changes rows, returns plain values."""
