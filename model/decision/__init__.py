"""Where evidence becomes a false-positive rate, a verdict and a kind. Only this package reads thresholds."""
