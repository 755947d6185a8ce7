"""One text: repair, tokens, sentences, and what counts as prose, with offsets into the submitted text."""
