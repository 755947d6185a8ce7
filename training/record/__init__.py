"""The record of accuracy: what a bundle gets right on labelled text."""
