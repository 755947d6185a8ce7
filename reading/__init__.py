"""How documents come in: where files are, how they are packed, and what is in them."""
