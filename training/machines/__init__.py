"""Machines to learn against: each turns a text into another, and marks the words that it replaced if it knows them."""
