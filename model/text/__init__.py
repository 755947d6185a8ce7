"""From a string to tokens: repair, sentences and what counts as prose, with offsets into the text as submitted."""
