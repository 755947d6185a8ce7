"""Language statistics: vocabulary, n-grams, alternatives and known phrases."""
