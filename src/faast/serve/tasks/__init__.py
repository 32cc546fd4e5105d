"""Tasks: models that are taught, each with a log from which it can be rebuilt."""
