"""A folder of model versions: promotion, rollback and the comparison of two models."""
