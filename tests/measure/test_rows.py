"""What is measured of a row, and that it stands in the row's own place."""

from pathlib import Path

import polars as pl
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from schemas.errors import ConfigError
from schemas.metrics import METRICS, Metrics
from schemas.record import RECORD
from tasks.measure import tokens
from tasks.measure.rows import measure_rows
from tasks.measure.tokens import find_tokenizer, load_tokenizer, token_counts


def conversations(*turns: list[tuple[str, str]]) -> pl.LazyFrame:
    messages = [[{"role": role, "content": text} for role, text in each] for each in turns]
    return pl.LazyFrame({"messages": messages}, schema={"messages": RECORD["messages"]})


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A tokenizer of white-space words, saved with all that must not count."""
    made = Tokenizer(models.WordLevel({"[UNK]": 0, "[S]": 1, "[P]": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="[S] $A", special_tokens=[("[S]", 1)]
    )
    made.enable_truncation(3)
    made.enable_padding(length=16, pad_id=2, pad_token="[P]")
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


# fmt: off
ROWS = {  #              messages                                                                      turns  prompt  response  tokens
    "one turn":         ([("user", "Name one."), ("assistant", "A lemur")],                            (1,     9,      7,        2, 2)),
    "points not bytes": ([("user", "猿の名前"), ("assistant", "éé€ 𝄞")],                                 (1,     4,      5,        1, 2)),
    "two turns":        ([("user", "a b"), ("assistant", "c"), ("user", "d"), ("assistant", "e f")],   (2,     9,      3,        4, 2)),
    "a system prompt":  ([("system", "Be kind."), ("user", "Hi"), ("assistant", "Hello")],             (1,     12,     5,        3, 1)),
    "a tool's turn":    ([("user", "1"), ("assistant", "2"), ("tool", "3"), ("assistant", "4")],       (1,     7,      1,        3, 1)),
    "nothing asked":    ([("assistant", "Hello")],                                                     (0,     0,      5,        0, 1)),
    "nothing answered": ([("user", "Hi"), ("assistant", "")],                                          (1,     2,      0,        1, 0)),
    "longer than cut":  ([("user", "a b c d e f"), ("assistant", "a " * 20)],                          (1,     11,     40,       6, 20)),
}
# fmt: on
COUNTED = ("turns", "prompt_chars", "response_chars", "prompt_tokens", "response_tokens")


def test_every_row_is_measured_in_its_own_place(words: Path) -> None:
    measured = measure_rows(
        conversations(*(turns for turns, _ in ROWS.values())), find_tokenizer(str(words))
    )
    assert dict(zip(ROWS, measured.select(COUNTED).rows(), strict=True)) == {
        name: counts for name, (_, counts) in ROWS.items()
    }
    assert measured.schema == METRICS
    assert Metrics.is_valid(measured)


def test_without_a_tokenizer_tokens_are_unknown() -> None:
    measured = measure_rows(conversations(*(turns for turns, _ in ROWS.values())))
    assert measured.schema == METRICS
    assert measured["prompt_tokens"].null_count() == measured.height == len(ROWS)
    assert measured["response_tokens"].null_count() == measured.height


def test_an_empty_shard_measures_to_no_rows(words: Path) -> None:
    for tokenizer in (None, find_tokenizer(str(words))):
        measured = measure_rows(conversations().head(0), tokenizer)
        assert measured.schema == METRICS
        assert measured.is_empty()


def test_batches_join_up(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "BATCH_ROWS", 2)
    texts = pl.Series(["a", "a b", "", "a b c d", None])
    tokenizer = find_tokenizer(str(words))
    assert tokenizer is not None
    assert token_counts(texts, tokenizer).to_list() == [1, 2, 0, 4, 0]


def test_a_tokenizer_is_a_file_or_the_folder_of_one(words: Path) -> None:
    assert find_tokenizer(str(words)) == find_tokenizer(str(words / "tokenizer.json"))
    assert find_tokenizer(None) is None


def test_a_tokenizer_that_is_not_there_is_the_recipes_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "nowhere.json"):
        with pytest.raises(ConfigError, match=r"measure\.tokenizer: no tokenizer at"):
            find_tokenizer(str(path))


def test_a_file_that_is_no_tokenizer_is_the_recipes_error(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text('{"version": "1.0"}')
    tokenizer = find_tokenizer(str(file))
    assert tokenizer is not None
    with pytest.raises(ConfigError, match="is not a tokenizer"):
        load_tokenizer(tokenizer)
