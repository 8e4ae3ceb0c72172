import polars as pl
import pytest

from tasks.assistant.sentences import by_sentence

# fmt: off
TEXTS = {  #                  text                                         sentences
    "a version's stop":      ("I'm GPT-3.5. Ask me!",                       ["I'm GPT-3.5.", "Ask me!"]),
    "Chinese":               ("我是AI。不能去！真的",                          ["我是AI。", "不能去！", "真的"]),
    "lines":                 ("one\n\ntwo",                                 ["one", "two"]),
    "a turn":                ("I can't, but here is one.",                  ["I can't", ", but here is one."]),
    "signs alone":           ("... ! \n --",                                [None]),
    "nothing":               ("",                                           [None]),
}
# fmt: on


@pytest.mark.parametrize(("text", "sentences"), TEXTS.values(), ids=TEXTS)
def test_a_text_is_its_sentences_in_order(text, sentences):
    rows = pl.LazyFrame({"row": [7], "said": [text]})
    read = by_sentence(rows, r",?\s+but\b").collect()
    assert read["said"].to_list() == sentences
    assert read["place"].to_list() == list(range(len(sentences)))
    assert read["row"].unique().to_list() == [7]
