"""Evaluate language models: load tasks, make prompts, generate or choose answers, score them."""
