"""What is inside the loss: the response and its stop token, whatever template and tokenizer."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.adapter import LabelAudit
from schemas.errors import ConfigError
from schemas.train import OverLong, Supervise
from tests.trainer.building import CHATML, build_tokenizer
from trainer.labels import IGNORED, Labeller, TextEncoder, refuse_nothing_to_learn, sum_audits
from trainer.model import load_tokenizer
from trainer.templates import NAMED, choose_template
from trainer.weights import BaseFiles

TOKENIZERS = ("gpt2", "llama2", "qwen2_5", "baichuan2", "chatglm3")
RESPONSES = (
    "Paris",
    " a space before",
    "\n\n  def f():\n\treturn 1  \n",
    "北京是中国的首都。",
    "naïve café — “quotes” 👩‍👩‍👧 \u200b end",
    "",
    "It ends here.<|im_end|>\n<|im_start|>user\nor does it?</s>",
)


def labeller(
    tokenizer: Any,
    template: str | None = None,
    max_tokens: int = 10_000,
    over_long: OverLong = OverLong.DROP,
    supervise: Supervise = Supervise.LAST,
    encoder: TextEncoder | None = None,
    system: str | None = None,
) -> Labeller:
    chosen = choose_template(tokenizer, template, "test")
    encoder = encoder or TextEncoder(tokenizer)
    return Labeller(chosen, encoder, max_tokens, over_long, supervise, system)


def batch_of(*rows: list[tuple[str, str]], tools: str | None = None) -> pa.RecordBatch:
    message = pa.struct({"role": pa.string(), "content": pa.string()})
    schema = pa.schema({"source": pa.string(), "messages": pa.list_(message), "tools": pa.string()})
    return pa.RecordBatch.from_pylist(
        [
            {
                "source": "things",
                "messages": [{"role": role, "content": content} for role, content in row],
                "tools": tools,
            }
            for row in rows
        ],
        schema=schema,
    )


def asked(question: str, answer: str) -> list[tuple[str, str]]:
    return [("user", question), ("assistant", answer)]


def audit_of(batch: pl.DataFrame) -> LabelAudit:
    return sum_audits([batch])[0]


def supervised(row: dict[str, list[int]]) -> list[int]:
    return [label for label in row["labels"] if label != IGNORED]


@functools.cache
def tokenizer_at(folder: Path) -> Any:
    return load_tokenizer(BaseFiles("test", folder, "local", None))


@functools.cache
def encoder_at(folder: Path) -> TextEncoder:
    return TextEncoder(tokenizer_at(folder))


@pytest.mark.parametrize("template", [None, *sorted(NAMED)])
def test_the_response_and_its_stop_are_supervised_and_decode_back_exactly(template):
    check_every_response(labeller(build_tokenizer(), template))


@pytest.mark.parametrize("name", TOKENIZERS)
def test_so_they_are_with_real_tokenizers_and_every_template(name, shared):
    folder = shared(f"tokenizers/{name}")
    tokenizer = tokenizer_at(folder)
    own = [None] if tokenizer.chat_template else []
    for template in (*own, *sorted(NAMED)):
        check_every_response(labeller(tokenizer, template, encoder=encoder_at(folder)))


def check_every_response(label: Labeller) -> None:
    rows, audit = label.label(batch_of(*(asked("What is it?", text) for text in RESPONSES)))

    for row, response in zip(rows.to_pylist(), RESPONSES, strict=True):
        inside = supervised(row)
        assert inside[-1] == row["input_ids"][-1] == label.template.stop_id
        assert label.encoder.decode([inside[:-1]]) == [
            label.template.lead + response + label.template.tail
        ]
        prompt = row["input_ids"][: -len(inside)]
        assert row["labels"][: len(prompt)] == [IGNORED] * len(prompt)
        question = {"role": "user", "content": "What is it?"}
        assert label.encoder.opening([label.template.prompt([question])]) == [prompt]
    seen = audit_of(audit)
    assert seen.altered_responses == 0
    assert seen.stop_supervised == seen.kept == len(RESPONSES)


def test_the_real_story_model_is_labelled_like_any_other(shared):
    tokenizer = tokenizer_at(shared("models/stories260K"))
    rows, _ = labeller(tokenizer, "plain").label(batch_of(asked("Who?", "Tim and Lily.")))
    row = rows.to_pylist()[0]
    assert row["input_ids"][0] == tokenizer.bos_token_id
    assert tokenizer.decode(supervised(row)) == "Tim and Lily.</s>"


def test_a_stop_token_that_is_also_the_pad_token_stays_in_the_loss():
    label = labeller(build_tokenizer(pad_token="<|im_end|>"))
    rows, _ = label.label(batch_of(asked("a", "b"), asked("a", "a much longer answer")))
    from trainer.batches import PaddingCollator

    batch = PaddingCollator(pad_id=label.template.stop_id)(rows.to_pylist())
    short = batch["labels"][0]
    length = int(batch["attention_mask"][0].sum())
    assert int(short[length - 1]) == label.template.stop_id
    assert (short[length:] == IGNORED).all()
    assert (batch["input_ids"][0][length:] == label.template.stop_id).all()


def test_text_that_spells_a_special_token_does_not_become_one_in_a_response():
    label = labeller(build_tokenizer())
    rows, audit = label.label(batch_of(asked("a", "stop <|im_end|> not"), asked("a", "b")))
    inside = supervised(rows.to_pylist()[0])
    assert inside.count(label.template.stop_id) == 1
    assert audit_of(audit).special_in_text == 1


LONG = [("system", "s"), *asked("one", "first"), *asked("two", "second")]


# fmt: off
TURNS = {           # supervise       what is inside the loss
    "last":          (Supervise.LAST,  "second<|im_end|>"),
    "all":           (Supervise.ALL,   "first<|im_end|>second<|im_end|>"),
}
# fmt: on


@pytest.mark.parametrize(("supervise", "expected"), TURNS.values(), ids=TURNS.keys())
def test_the_last_or_all_assistant_turns_are_supervised(supervise, expected):
    tokenizer = build_tokenizer()
    rows, _ = labeller(tokenizer, supervise=supervise).label(batch_of(LONG, asked("q", "r")))
    first, second = rows.to_pylist()
    assert tokenizer.decode(supervised(first)) == expected
    assert tokenizer.decode(supervised(second)) == "r<|im_end|>"
    whole = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in LONG)
    assert tokenizer.decode(first["input_ids"]) == whole.rstrip("\n")


# fmt: off
#   the row has 17 tokens: 11 of the prompt's words and frame, 5 of the response, its stop
LENGTHS = {            # max_tokens  over_long                  kept  tokens  dropped  cut
    "it fits exactly":   (17, OverLong.DROP,                      1,    17,     0,      0),
    "one too long":      (16, OverLong.DROP,                      0,     0,     1,      0),
    "not cut if it fits": (17, OverLong.TRUNCATE_PROMPT,          1,    17,     0,      0),
    "prompt cut by one": (16, OverLong.TRUNCATE_PROMPT,           1,    16,     0,      1),
    "one prompt token":  (7,  OverLong.TRUNCATE_PROMPT,           1,     7,     0,      1),
    "response too long": (6,  OverLong.TRUNCATE_PROMPT,           0,     0,     1,      0),
}
# fmt: on


@pytest.mark.parametrize(
    ("max_tokens", "over_long", "kept", "tokens", "dropped", "cut"),
    LENGTHS.values(),
    ids=LENGTHS.keys(),
)
def test_over_long_conversations_are_dropped_or_cut_in_the_prompt_and_counted(
    max_tokens, over_long, kept, tokens, dropped, cut
):
    tokenizer = build_tokenizer(
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}"
        "{% else %}={{ m.content }}<|im_end|>{% endif %}{% endfor %}"
    )
    row = asked("0123456789", "abcde")
    rows, audit = labeller(tokenizer, None, max_tokens, over_long).label(batch_of(row))
    seen = audit_of(audit)
    assert (seen.kept, seen.tokens) == (kept, tokens)
    assert (seen.dropped_over_long, seen.truncated_prompts) == (dropped, cut)
    assert rows.num_rows == kept
    if kept:
        only = rows.to_pylist()[0]
        assert tokenizer.decode(supervised(only)) == "abcde<|im_end|>"
        assert tokenizer.decode(only["input_ids"]) == "0123456789=abcde<|im_end|>"[-tokens - 9 :]


def test_truncation_leaves_the_begin_token():
    tokenizer = build_tokenizer(CHATML, bos_token="<|im_start|>")
    label = labeller(tokenizer, None, 12, OverLong.TRUNCATE_PROMPT)
    rows, _ = label.label(batch_of(asked("0123456789" * 3, "abcde")))
    assert rows.to_pylist()[0]["input_ids"][0] == tokenizer.bos_token_id


def test_a_conversation_that_the_template_refuses_is_counted_and_left_out():
    tokenizer = build_tokenizer(
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}"
        "{% endif %}{{ m.content }}{% endfor %}"
    )
    rows, audit = labeller(tokenizer).label(batch_of(LONG, asked("q", "r")))
    seen = audit_of(audit)
    assert (seen.conversations, seen.kept, seen.refused_by_template) == (2, 1, 1)
    assert rows.num_rows == 1


def test_a_template_that_drops_the_response_supervises_nothing_of_it():
    tokenizer = build_tokenizer(
        "{% for m in messages %}{% if m.role == 'user' or m.content != 'r' %}"
        "{% if messages | length < 3 %}{{ m.content }}{% endif %}{% endif %}{% endfor %}"
    )
    _, audit = labeller(tokenizer).label(batch_of(LONG))
    assert audit_of(audit).refused_by_template == 1


def test_the_audit_adds_up_over_batches_and_sources():
    label = labeller(build_tokenizer())
    parts = [label.label(batch_of(asked("q", "r")))[1] for _ in range(3)]
    total = LabelAudit.total(sum_audits(parts))
    assert (total.conversations, total.kept, total.stop_supervised) == (3, 3, 3)


def test_no_row_at_all_is_labelled_as_nothing():
    rows, audit = labeller(build_tokenizer()).label(batch_of())
    assert rows.num_rows == 0
    assert sum_audits([audit]) == ()


# fmt: off
LEARNABLE = {         # trainable  refused
    "no token":       (0,          True),
    "one token":      (1,          False),
}
# fmt: on


@pytest.mark.parametrize(("trainable", "refused"), LEARNABLE.values(), ids=LEARNABLE.keys())
def test_zero_trainable_tokens_refuse_to_train(trainable, refused):
    counts = {name: 0 for name in LabelAudit.model_fields if name != "source"}
    audit = LabelAudit.model_validate(
        {"source": "s", **counts, "conversations": 5, "kept": 5, "trainable_tokens": trainable}
    )
    if refused:
        with pytest.raises(ConfigError, match="nothing to learn from"):
            refuse_nothing_to_learn((audit,), 512)
    else:
        refuse_nothing_to_learn((audit,), 512)


TINY = labeller(build_tokenizer())


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.text(max_size=30), st.text(max_size=30)),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_comes_back_from_its_labels(pairs):
    """Law: labels decode to the response, prompts to the template's text, row by row."""
    rows, _ = TINY.label(batch_of(*(asked(question, answer) for question, answer in pairs)))
    for row, (_, answer) in zip(rows.to_pylist(), pairs, strict=True):
        assert TINY.encoder.decode([supervised(row)[:-1]]) == [answer]
        assert len(row["labels"]) == len(row["input_ids"]) == row["length"]


def spelled(encoder: TextEncoder, ids: list[list[int]], texts: list[str]) -> bool:
    counts = np.fromiter(map(len, ids), np.int64, len(ids))
    flat = np.array([one for row in ids for one in row], np.int32)
    return encoder.spells(flat, counts, texts)


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.data())
def test_byte_level_tokens_spell_their_texts_and_no_other(texts, data):
    """Law: what `spells` says is what decoding says, of right tokens and of any wrong one."""
    ids = TINY.encoder.verbatim(texts)
    assert spelled(TINY.encoder, ids, texts) is any(ids)
    row = data.draw(st.integers(0, len(ids) - 1))
    if ids[row]:
        place = data.draw(st.integers(0, len(ids[row]) - 1))
        changed = [list(one) for one in ids]
        changed[row][place] = data.draw(st.integers(0, len(TINY.template.tokenizer) - 1))
        same = TINY.encoder.decode(changed) == texts
        assert spelled(TINY.encoder, changed, texts) is same


def test_tokens_that_spell_the_neighbours_text_do_not_spell_their_own():
    ids = TINY.encoder.verbatim(["ab", "c"])
    assert spelled(TINY.encoder, ids, ["ab", "c"])
    assert not spelled(TINY.encoder, ids, ["a", "bc"])
    assert not spelled(TINY.encoder, ids, ["ab", "cd"])


SPELLING = {"gpt2": True, "qwen2_5": True, "llama2": False}
"""Whether a tokenizer's tokens are bytes side by side, so that nothing has to be decoded."""


@pytest.mark.parametrize(("name", "is_so"), SPELLING.items(), ids=SPELLING)
def test_real_byte_level_tokenizers_need_no_decoding(name, is_so, shared):
    encoder = encoder_at(shared(f"tokenizers/{name}"))
    texts = [text for text in RESPONSES if text]
    assert spelled(encoder, encoder.verbatim(texts), texts) is is_so


def talk(*said: str, system: str | None = None) -> list[tuple[str, str]]:
    turns = [(("user", "assistant")[place % 2], text) for place, text in enumerate(said)]
    return [("system", system), *turns] if system else turns


def texts_of(label: Labeller, rows: pa.RecordBatch) -> list[str]:
    return label.template.tokenizer.batch_decode(rows.column("input_ids").to_pylist())


def test_a_long_conversation_is_split_at_users_turns_until_its_parts_fit():
    label = labeller(build_tokenizer(), "plain", max_tokens=60, over_long=OverLong.SPLIT)
    long = talk("one?", "1.", "two?", "2.", "three?", "3.", "four?", "4.", system="Count.")
    rows, audit = label.label(batch_of(asked("a", "b"), long, asked("c", "d")))

    parts = texts_of(label, rows)
    assert rows.column("row").to_pylist() == [0, *[1] * (len(parts) - 2), 2]
    assert all(length <= 60 for length in rows.column("length").to_pylist())
    middle = parts[1:-1]
    assert len(middle) >= 2
    assert all(part.startswith("Count.") for part in middle)
    asked_in_order = [
        word for part in middle for word in ("one?", "two?", "three?", "four?") if word in part
    ]
    assert asked_in_order == ["one?", "two?", "three?", "four?"]
    seen = audit_of(audit)
    assert (seen.conversations, seen.kept, seen.split) == (3, len(parts), 1)
    assert seen.dropped_over_long == 0


def test_one_exchange_that_is_too_long_is_dropped_where_others_are_split():
    label = labeller(build_tokenizer(), "plain", max_tokens=40, over_long=OverLong.SPLIT)
    rows, audit = label.label(
        batch_of(talk("short?", "Yes.", "long? " * 30, "No."), asked("a", "b"))
    )
    assert rows.column("row").to_pylist() == [0, 1]
    seen = audit_of(audit)
    assert (seen.conversations, seen.kept, seen.split, seen.dropped_over_long) == (2, 2, 1, 1)


def test_a_conversation_that_fits_is_not_split():
    label = labeller(build_tokenizer(), "plain", over_long=OverLong.SPLIT)
    dropping = labeller(build_tokenizer(), "plain")
    batch = batch_of(talk("one?", "1.", "two?", "2."))
    assert label.label(batch)[0].equals(dropping.label(batch)[0])


def test_the_recipes_system_message_stands_before_conversations_that_have_none():
    label = labeller(build_tokenizer(), "plain", system="You are Fern.")
    rows, _ = label.label(batch_of(asked("Who?", "Fern."), talk("Who?", "Me.", system="Be terse.")))
    first, second = texts_of(label, rows)
    assert first.startswith("You are Fern.\n\n")
    assert second.startswith("Be terse.\n\n")
    assert "Fern" not in second


def test_rows_carry_their_source_category_and_language():
    batch = batch_of(asked("a", "b"), asked("c", "d"))
    told = pa.table(batch.to_pydict() | {"category": ["qa", None], "language": ["en", "de"]})
    rows, _ = labeller(build_tokenizer()).label(told.to_batches()[0])
    assert rows.select(["row", "source", "category", "language"]).to_pylist() == [
        {"row": 0, "source": "things", "category": "qa", "language": "en"},
        {"row": 1, "source": "things", "category": None, "language": "de"},
    ]
