"""The engine: scores a text and shows the words that give it away. Knows nothing of Flask, the command line or
training."""
