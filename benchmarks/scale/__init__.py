"""What learning costs as rows grow, from raw rows and on several workers."""
