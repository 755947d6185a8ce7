"""The encoder of the deep tier: lessons, fine-tuning, mining of hard examples and export."""
