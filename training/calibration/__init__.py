"""Evidence of calibration texts to thresholds and false-positive rates."""
