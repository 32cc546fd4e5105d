"""Exact sums of rows, the sample kept beside them, fast weights and the file format."""
