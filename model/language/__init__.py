"""What English usually looks like: vocabulary, n-grams and word vectors, as memory-mapped arrays."""
