"""Reading evaluation files: one row per text of an item, whatever the file's format."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from schemas.errors import ConfigError
from schemas.filter import EvaluationSet

GZIP_MAGIC, PARQUET_MAGIC = b"\x1f\x8b", b"PAR1"
FORMATS = "JSON Lines, JSON, CSV, TSV or Parquet, gzipped or not"
NESTING = 4  # how deep structs inside items are opened
# What evaluation sets call the columns that make up their question, in full or after the last dot.
QUESTION_NAMES = frozenset(
    {
        *("question", "questions", "prompt", "instruction", "input", "problem", "query", "goal"),
        *("sentence", "text", "ctx", "context", "passage", "premise", "turns"),
        *("问题", "题目", "题干", "指令", "输入"),
    }
)
NESTED_QUESTION_NAMES = frozenset({"question", "prompt", "stem", "content", "题干"})


def read_evaluation(evaluation: EvaluationSet) -> pl.DataFrame:
    """The texts of an evaluation set: one row per non-empty text of an item.

    Columns: `row` (UInt32, the item's position in the file, from 0), `text` (String) and `asked`,
    whether it is of what the item asks. Texts are the columns of strings (all, or those the recipe
    names), lists of strings, and both inside structs and lists of structs, as `question.stem`. What
    an item asks is in the columns with a name of `QUESTION_NAMES`, or else in the first.

    Raises:
        ConfigError: the file is missing or unreadable, lacks a named column, has no column of text
            or no item.
    """
    items = _frame(evaluation)
    opened = _open_structs(items)
    texts = [name for name, dtype in opened.schema.items() if _is_text(dtype)]
    where = f"evaluation set {evaluation.name!r}, {evaluation.place}"
    missing = [name for name in evaluation.columns if name not in texts]
    if missing:
        raise ConfigError(
            f"{where}: no text column {', '.join(map(repr, missing))}; found "
            f"{', '.join(texts) or 'no text column'}. Correct `columns` of this set in the recipe."
        )
    if not texts:
        raise ConfigError(
            f"{where}: no column holds text; found {_described(opened)}. Name a file whose items "
            "have their text as strings."
        )
    columns = evaluation.columns or tuple(texts)
    rows = (
        opened.lazy()
        .with_row_index("row")
        .select("row", *(_as_list(name, opened.schema[name]) for name in columns))
        .unpivot(index="row", variable_name="column", value_name="text")
        .explode("text")
        .filter(pl.col("text").str.contains(r"\S"))
        .select(
            pl.col("row").cast(pl.UInt32), "text", asked=pl.col("column").is_in(_asking(columns))
        )
        .collect()
    )
    if rows.is_empty():
        raise ConfigError(
            f"{where}: no item with any text, expected at least one; columns "
            f"{', '.join(columns)}. Check that the file is complete."
        )
    return rows.sort("row", maintain_order=True)


def _asking(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold what an item asks."""
    known = (
        name
        for name in columns
        if name.lower() in QUESTION_NAMES
        or name.lower().rpartition(".")[2] in NESTED_QUESTION_NAMES
    )
    return tuple(known) or tuple(columns[:1])


def _frame(evaluation: EvaluationSet) -> pl.DataFrame:
    where = f"evaluation set {evaluation.name!r}, {evaluation.place}"
    data = _read_bytes(evaluation)
    try:
        return _parsed(data, Path(evaluation.place.removesuffix(".gz")).suffix.lower())
    except (pl.exceptions.PolarsError, ValueError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ConfigError(
            f"{where}: cannot be read, expected {FORMATS}: {said}. Repair the file, or take the "
            "set out of the recipe."
        ) from None


def evaluation_sha256(evaluation: EvaluationSet) -> str:
    """SHA-256 of an evaluation file's content, decompressed; raises ConfigError."""
    return hashlib.sha256(_read_bytes(evaluation)).hexdigest()


def _read_bytes(evaluation: EvaluationSet) -> bytes:
    where = f"evaluation set {evaluation.name!r}, {evaluation.place}"
    try:
        data = Path(evaluation.place).read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
    except FileNotFoundError:
        raise ConfigError(
            f"{where}: no such file. Put it there, or correct the path of this set in the recipe."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(
            f"{where}: cannot be read: {error}. Fetch the file again, or take the set out of the "
            "recipe."
        ) from None


def _parsed(data: bytes, suffix: str) -> pl.DataFrame:
    """A frame from the bytes: by their content, and by the suffix where that does not tell."""
    if data.startswith(PARQUET_MAGIC):
        return pl.read_parquet(io.BytesIO(data))
    data = data.removeprefix(b"\xef\xbb\xbf")
    first = data.lstrip()[:1]
    if first == b"" or (first == b"[" and suffix not in (".csv", ".tsv")):
        return pl.read_json(io.BytesIO(data), infer_schema_length=None) if first else pl.DataFrame()
    if first == b"{":
        try:
            return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
        except pl.exceptions.ComputeError:
            return pl.read_json(io.BytesIO(data), infer_schema_length=None)
    separator = "\t" if suffix == ".tsv" or b"\t" in data.split(b"\n", 1)[0] else ","
    return pl.read_csv(io.BytesIO(data), separator=separator, infer_schema=False)


def _open_structs(items: pl.DataFrame) -> pl.DataFrame:
    """The items with the fields of structs, and of structs in lists, as columns `name.field`."""
    for _ in range(NESTING):
        schema = items.schema.items()
        structs = [name for name, dtype in schema if dtype == pl.Struct]
        lists = {
            name: dtype.inner
            for name, dtype in schema
            if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct)
        }
        if not structs and not lists:
            break
        fields = [
            _field_of_each(name, field.name) for name, one in lists.items() for field in one.fields
        ]
        items = (
            items.with_columns(fields)
            .drop(*lists)
            .with_columns(pl.col(name).name.prefix_fields(f"{name}.") for name in structs)
            .unnest(structs)
        )
    return items


def _field_of_each(name: str, field: str) -> pl.Expr:
    values = pl.col(name).list.eval(pl.element().struct.field(field))
    return values.alias(f"{name}.{field}")


def _is_text(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.List(pl.String))


def _as_list(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name) if dtype == pl.List(pl.String) else pl.concat_list(pl.col(name))


def _described(items: pl.DataFrame) -> str:
    return ", ".join(f"{name} ({dtype})" for name, dtype in items.schema.items()) or "no column"
