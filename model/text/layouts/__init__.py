"""Undoes layouts that break up the sentences of a text."""
