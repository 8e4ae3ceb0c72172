"""The types of Arrow: which of them a text stands for, and that text."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from tasks.normalize.scan import NESTED
from tasks.normalize.utf8 import invalid_bytes

MAX_DIGITS = 38
"""Of a decimal number in Polars."""

_AS_BYTES = (
    (pa.types.is_string, pa.binary()),
    (pa.types.is_large_string, pa.large_binary()),
    (pa.types.is_string_view, pa.binary_view()),
)
_KEPT = (
    *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_null),
    *(pa.types.is_date, pa.types.is_time, pa.types.is_timestamp, pa.types.is_duration),
)
_BYTES = (
    *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
    pa.types.is_fixed_size_binary,
)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


class NoText(Exception):
    """No text stands for values of a type; the message is its name."""


def is_bytes(dtype: pa.DataType) -> bool:
    """Whether values are bytes of which nobody says that they are text."""
    return any(test(dtype) for test in _BYTES)


def plain_type(dtype: pa.DataType) -> pa.DataType:
    """The type of the same values that Polars takes, without dictionaries, extensions and views.

    Maps stay where JSON can write them as objects, and are lists of `{key, value}` elsewhere.

    Raises:
        NoText: no text stands for such values, or Polars has none of them.
        UnicodeDecodeError: a field's name is no text.
    """
    if any(test(dtype) for test in _KEPT):
        return dtype
    if any(test(dtype) for test, _ in _AS_BYTES):
        return pa.large_string()
    if is_bytes(dtype):
        return pa.large_binary()
    if pa.types.is_decimal(dtype):
        return dtype if dtype.precision <= MAX_DIGITS else pa.large_string()
    inner = _stored(dtype)
    return _nested(dtype) if inner is None else plain_type(inner)


def _stored(dtype: pa.DataType) -> pa.DataType | None:
    """The type of the values themselves, where they are written in another way; else None."""
    if isinstance(dtype, pa.BaseExtensionType):
        return dtype.storage_type
    return dtype.value_type if pa.types.is_dictionary(dtype) else None


def _nested(dtype: pa.DataType) -> pa.DataType:
    """The plain type of lists, structs and maps."""
    if pa.types.is_struct(dtype):
        return pa.struct([(field.name, plain_type(field.type)) for field in dtype.fields])
    if any(test(dtype) for test in _LISTS):
        return pa.large_list(plain_type(dtype.value_type))
    if not pa.types.is_map(dtype):
        raise NoText(str(dtype))
    key, value = plain_type(dtype.key_type), plain_type(dtype.item_type)
    if pa.types.is_large_string(key) and not _has_bytes(value):
        return pa.map_(key, value)
    return pa.large_list(pa.struct([("key", key), ("value", value)]))


def check_structure(batch: pa.RecordBatch) -> None:
    """Raise ArrowInvalid unless every value lies where it can be read, whether UTF-8 or not.

    What was read of an Arrow file is taken as it stands there; one wrong offset in it, and whatever
    casts or copies it reads another's memory.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        for column in batch.columns:
            column.view(_bytes_type(column.type)).validate(full=True)


def _bytes_type(dtype: pa.DataType) -> pa.DataType:
    """The type of the same memory with bytes for its texts."""
    for is_text, as_bytes in _AS_BYTES:
        if is_text(dtype):
            return as_bytes
    if pa.types.is_struct(dtype):
        return pa.struct([field.with_type(_bytes_type(field.type)) for field in dtype.fields])
    if pa.types.is_dictionary(dtype):
        return pa.dictionary(dtype.index_type, _bytes_type(dtype.value_type), dtype.ordered)
    if pa.types.is_map(dtype):
        return pa.map_(_bytes_type(dtype.key_type), _bytes_type(dtype.item_type))
    return _list_of_bytes(dtype)


def _list_of_bytes(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_list(dtype):
        return pa.list_(_bytes_type(dtype.value_type))
    if pa.types.is_large_list(dtype):
        return pa.large_list(_bytes_type(dtype.value_type))
    if pa.types.is_fixed_size_list(dtype):
        return pa.list_(_bytes_type(dtype.value_type), dtype.list_size)
    return dtype


def _has_bytes(dtype: pa.DataType) -> bool:
    inner = [dtype.field(place).type for place in range(dtype.num_fields)]
    return is_bytes(dtype) or any(map(_has_bytes, inner))


def with_texts(values: pa.Array) -> pa.Array:
    """The same values of a plain type with texts for the bytes anywhere in them.

    Bytes that are no text are null: pictures, mostly.
    """
    dtype = values.type
    if not _has_bytes(dtype):
        return values
    if is_bytes(dtype):
        return _texts(values)
    if pa.types.is_struct(dtype):
        inner = [with_texts(child) for child in values.flatten()]
        fields = [
            field.with_type(child.type) for field, child in zip(dtype.fields, inner, strict=True)
        ]
        return pa.StructArray.from_arrays(inner, fields=fields, mask=values.is_null())
    lengths = pc.list_value_length(values).fill_null(0).to_numpy(zero_copy_only=False)
    ends = np.append(0, np.cumsum(lengths))
    elements = with_texts(values.flatten())
    return pa.LargeListArray.from_arrays(pa.array(ends), elements, mask=values.is_null())


def _texts(values: pa.LargeBinaryArray) -> pa.LargeStringArray:
    empty, line_end = (pa.scalar(text, pa.large_binary()) for text in (b"", b"\n"))
    ended = pc.binary_join_element_wise(values, empty, line_end)  # a character that it cuts is none
    _, offsets, data = ended.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[: len(ended) + 1]
    found = invalid_bytes(np.frombuffer(data or b"", dtype=np.uint8), ends[:-1], ends[1:])
    return pc.if_else(pa.array(found < 0), values, None).cast(pa.large_string())


def as_text(values: pa.Array) -> pl.Series:
    """Values without bytes as the JSON readers give them: nested ones as JSON behind `NESTED`."""
    given = pl.Series("_", values)
    if given.dtype == pl.Duration:
        return given.dt.to_string("iso")
    if not given.dtype.is_nested():
        return given.cast(pl.String)
    wrapped = pl.struct("_").struct.json_encode()
    text = wrapped.str.strip_prefix('{"_":').str.strip_suffix("}")
    marked = pl.when(pl.col("_").is_not_null()).then(pl.lit(NESTED) + text)
    return given.to_frame().select(marked).to_series()
