"""Tasks for language models: records, prompts made of them, answers, and their scores."""
