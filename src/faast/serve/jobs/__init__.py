"""Jobs: uploads of many rows that are read from the disk and taught batch after batch."""
