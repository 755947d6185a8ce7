"""One file a signal: what it looks for, why that betrays a machine, and what it misses."""
