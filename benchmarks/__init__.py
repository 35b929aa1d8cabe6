"""Side-by-side benchmarks: one command, one table, peers in the same run (``python -m benchmarks --help``)."""
