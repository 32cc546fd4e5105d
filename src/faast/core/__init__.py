"""Exact sums of rows, the row sample kept with them, fast weights and the file format."""
