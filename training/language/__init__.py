"""Language statistics: word counts, n-grams, thesauri and phrase tables."""
