"""One signal per file. Each says what it looks for, why that betrays a machine, and what it misses."""
