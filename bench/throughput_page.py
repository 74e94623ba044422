"""docs/throughput.md, from its numbers alone."""


def page(record: dict[str, object]) -> str:
    """The document."""
    return str(record)
