"""Scoring many documents: in batches, in processes and on a cluster."""
