"""The fast tier: signals to matrices, and the classifiers fitted on them."""
