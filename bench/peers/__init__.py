"""The peers: other job systems, started here, each doing the same as Dispatcher is measured at."""
