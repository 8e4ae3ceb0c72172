"""Who a model says it is: a system message kept in a file."""

from pathlib import Path

from schemas.errors import ConfigError

LINE_BYTES = 65_536
"""Of the first line, what is read at most."""


def read_identity(path: Path) -> str:
    """The system message that a file's first line is.

    Raises:
        ConfigError: the file cannot be read as UTF-8 text, or its first line is blank.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(LINE_BYTES).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--identity {path}: cannot be read as UTF-8 text: {error}") from None
    if not line:
        raise ConfigError(f"--identity {path}: its first line is blank. Write who the model is.")
    return line
