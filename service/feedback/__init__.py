"""People's labels of texts: stored in a database with unspun's verdicts, and used to measure its accuracy."""
