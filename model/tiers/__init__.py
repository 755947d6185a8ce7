"""The fast and the deep tier: texts in, evidence per kind out, in arrays."""
