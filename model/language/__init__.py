"""What English usually looks like: vocabulary, n-grams and word vectors, in memory-mapped arrays."""
