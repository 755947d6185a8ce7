"""A suspect text beside its suspected source."""
