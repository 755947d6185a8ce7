"""Metrics, tables, plots and model cards."""
