import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.filter import Contamination, Filter, Lengths
from schemas.language import Languages
from schemas.licences import Licences
from schemas.privacy import Policy, Privacy
from schemas.quality import Quality
from schemas.reasons import DropReason, Stage
from schemas.record import VERDICT
from tasks.filter.contamination import index_texts
from tasks.filter.judge import judge, rule_table
from tests.filter.rows import NOTHING, records, talks

ITEM = "one two three four five six seven eight nine ten eleven twelve thirteen"
ITEMS = index_texts(
    pl.DataFrame(
        {"set": ["made"], "row": [3], "text": [ITEM], "asked": [True]},
        schema_overrides={"row": pl.UInt32},
    ),
    13,
)
RULES = Filter(lengths=Lengths(max_response_chars=200))

# fmt: off
ROWS = {  #              prompt                   response                          reason
    "clean":            ("Name a primate.",       "Lemur",                          None),
    "empty prompt":     ("",                      "I am ChatGPT.",                  DropReason.EMPTY_PROMPT),
    "empty response":   ("Say nothing",           "",                               DropReason.EMPTY_RESPONSE),
    "long":             ("Count.",                "1 " * 200,                       DropReason.LONG_RESPONSE),
    "echo":             ("Good morning",          "good morning",                   DropReason.ECHO),
    "identity":         ("Who?",                  "I am ChatGPT: h.mann@web.de",    DropReason.MODEL_IDENTITY),
    "email":            ("Whose?",                "h.mann@web.de, 502-294-8258",    DropReason.EMAIL),
    "phone":            ("Call 502-294-8258",     f"{ITEM}",                        DropReason.PHONE),
    "id number":        ("Check",                 "11010119900307002X",             DropReason.ID_NUMBER),
    "overlap":          (f"Count: {ITEM}.",       "Done.",                          DropReason.EVALUATION_OVERLAP),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "reason"), ROWS.values(), ids=ROWS)
def test_a_row_falls_for_the_first_reason_it_gives(prompt, response, reason):
    verdict = judge(records((prompt, response)), RULES, ITEMS).collect()
    assert verdict["drop_reason"].to_list() == [reason]


def test_verdicts_have_their_schema_and_one_row_per_record():
    rows = records(*((prompt, response) for prompt, response, _ in ROWS.values()))
    verdicts = judge(rows, RULES, ITEMS).collect()
    assert verdicts.schema == VERDICT
    assert verdicts["drop_reason"].to_list() == [reason for *_, reason in ROWS.values()]
    passed = verdicts["drop_reason"].is_null()
    assert (verdicts["found"].is_null() == passed).all()
    assert (verdicts["expected"].is_null() == passed).all()
    assert verdicts["duplicate_of"].null_count() == len(ROWS)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_filter_with_nothing_switched_on_passes_every_row(rows):
    verdicts = judge(records(*[("", "")] * rows), NOTHING).collect()
    assert verdicts.schema == VERDICT
    assert verdicts.height == rows
    assert verdicts["drop_reason"].null_count() == rows


def test_no_rows_give_no_verdicts():
    verdicts = judge(records(), RULES, ITEMS).collect()
    assert verdicts.schema == VERDICT
    assert verdicts.is_empty()


def test_every_reason_of_this_stage_has_a_rule():
    everything = Filter(
        language=Languages(
            allowed=("en",), match_prompt=True, untranslated=True, declared=(("made", ("en",)),)
        ),
        privacy=Privacy(**dict.fromkeys(Privacy.model_fields, Policy.DROP)),
        quality=Quality(**{name: type(rule)(enabled=True) for name, rule in Quality()}),
        licences=Licences(commercial=True),
    )
    assert set(rule_table(everything, ITEMS)) == {
        reason for reason in DropReason if reason.stage is Stage.FILTER
    }


def test_without_an_index_no_row_is_held_against_evaluations():
    assert judge(records((ITEM, "x")), Filter()).collect()["drop_reason"].to_list() == [None]


def test_contamination_can_be_switched_off():
    rules = Filter(contamination=Contamination(enabled=False))
    assert judge(records((ITEM, "x")), rules, ITEMS).collect()["drop_reason"].to_list() == [None]


def test_system_and_earlier_turns_are_part_of_the_prompt():
    turns = [("system", "Mail h.mann@web.de"), ("user", "Hi"), ("assistant", "Hello")]
    assert judge(talks(turns), RULES).collect()["drop_reason"].to_list() == [DropReason.EMAIL]


def test_unusual_text_is_judged_without_a_crash():
    texts = ["a", "\u202eabc", "\u200b", "a " * 50_000, "\x00", "🏳️‍🌈" * 50, "\U0010ffff", "ab" * 9]
    verdicts = judge(records(*((text, text) for text in texts)), RULES, ITEMS).collect()
    assert verdicts.height == len(texts)


def test_the_plan_runs_the_same_on_the_streaming_engine():
    rows = records(*((prompt, response) for prompt, response, _ in ROWS.values()))
    plan = judge(rows, RULES, ITEMS)
    assert plan.collect(engine="streaming").equals(plan.collect())


@settings(max_examples=20)
@given(st.lists(st.sampled_from(list(ROWS)), min_size=1, max_size=12), st.data())
def test_a_verdict_does_not_depend_on_the_order_or_on_the_shard(names, data):
    rows = [ROWS[name][:2] for name in names]
    together = judge(records(*rows), RULES, ITEMS).collect()
    order = data.draw(st.permutations(range(len(rows))))
    assert (
        judge(records(*(rows[at] for at in order)), RULES, ITEMS).collect().equals(together[order])
    )
    cut = data.draw(st.integers(0, len(rows)))
    parts = [judge(records(*part), RULES, ITEMS).collect() for part in (rows[:cut], rows[cut:])]
    assert pl.concat(parts).equals(together)
