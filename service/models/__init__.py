"""Versions of models in a folder: promotion, rollback, and the differences between two models."""
