"""Retraining by users: from their own texts, from people's labels, or from scratch."""
