"""From evidence to a false-positive rate, a verdict and a kind. Thresholds are used nowhere else."""
