"""The paraphrasing machines that training uses.

`base.py` defines the interface: a `Machine` turns a text into a `Paraphrase`. Each family of machines lists its members
in its own module, and everything else reads these lists, so a new machine needs no change elsewhere:

- `spinners.SPINNERS`: word and phrase substitution; every replaced passage is known.
- `engines.ENGINES`: round trips through machine translation.
- `edits.EDITS`: edits after which a human text is still a human text.

Two more change word pieces inside a training batch, so they are in `training.encoder.batches`: mixtures of human and
machine text, and fluent substitution by the encoder itself.
"""
