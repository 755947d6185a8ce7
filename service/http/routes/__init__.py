"""The addresses that the service answers, a blueprint a file."""
