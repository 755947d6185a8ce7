"""Web pages: what a browser would show of them, and which part of that is the article."""
