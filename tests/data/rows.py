"""Read all batches of a source."""


def read(source):
    """All rows, labels and numbers of a source."""
    rows, labels, numbers = [], [], []
    for batch in source:
        rows += batch.rows
        labels += batch.labels or []
        numbers += batch.numbers
    return rows, labels, numbers
