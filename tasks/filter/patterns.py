"""Regular expressions from readable parts."""


def either(lines: str) -> str:
    """A group of alternatives, one or more (with | between them) on each line of `lines`."""
    return f"(?:{'|'.join(line.strip() for line in lines.strip().splitlines())})"
