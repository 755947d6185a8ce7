"""Long runs in which everything fails that can fail: a batch of a million documents, and the service under traffic."""
