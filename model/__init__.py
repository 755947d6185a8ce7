"""The engine: scores a text and finds the words that give a machine away.

It knows nothing of Flask, the command line or training. Start reading at detector.py.
"""
