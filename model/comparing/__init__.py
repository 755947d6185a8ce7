"""Compares a suspect text with its suspected source: was one made from the other, and which words were replaced?"""
