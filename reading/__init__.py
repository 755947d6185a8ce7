"""Reads documents: finds files, decompresses and decodes them, and parses their formats."""
