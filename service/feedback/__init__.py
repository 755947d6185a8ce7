"""What people say of texts that unspun judged: their labels, kept in a database, and what they tell of the model."""
