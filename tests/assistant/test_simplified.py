import polars as pl

from tasks.assistant.simplified import SCRIPTS, as_written, simplified


def test_every_character_keeps_its_place():
    assert all(len(old.encode()) == len(new.encode()) == 3 for old, new in SCRIPTS.items())
    assert len(SCRIPTS) > 200


def test_what_is_found_in_one_script_is_quoted_in_the_other():
    rows = pl.DataFrame(
        {"text": ["🙂 我是由阿里雲開發的。", "no match"], "found": ["阿里云开发", "x"]}
    )
    quoted = rows.select(as_written(pl.col("found"), simplified(pl.col("text")), pl.col("text")))
    assert quoted.to_series().to_list() == ["阿里雲開發", None]
