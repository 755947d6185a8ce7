"""The fast and the deep tier. Each turns texts into evidence for each kind of paraphrase, in arrays."""
