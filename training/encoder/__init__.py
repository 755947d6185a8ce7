"""The encoder of the deep tier: lessons, batches, fine-tuning, mining of hard examples and export."""
