"""What is kept of a source that is streamed: the columns that its layout reads."""

from schemas.source import Layout, Source


def columns_of(source: Source) -> tuple[str, ...] | None:
    """The columns of the raw data that a stream keeps; None for all of them.

    All are kept of a source whose rows have yet to tell their layout, and of one that is no stream.

    Raises:
        ConfigError: the source's constants do not fit its layout.
    """
    if source.hub is None or not source.hub.stream or source.layout == Layout.AUTO:
        return None
    from tasks.normalize.layouts import shape_of

    return shape_of(source).wanted(source)
