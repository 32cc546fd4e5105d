"""Routes of a server of memories, one subject a module."""
