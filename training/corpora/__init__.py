"""Labelled texts, their sources and makers, and the role of each source: train, calibrate or test."""
