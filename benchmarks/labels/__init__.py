"""Measurements of results/labels.md: several labels, wrong labels, the next rows, no answer."""
