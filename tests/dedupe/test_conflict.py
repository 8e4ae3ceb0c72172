"""Conflicts: one prompt, different answers; which of them stays, and what is said of the others."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dedupe import ConflictPolicy, NearDedupe
from tasks.dedupe import conflict
from tasks.dedupe.verify import Rows, Texts
from tests.dedupe.corpora import judge_near, near_result, records, source

ALL, BEST, LONGEST = ConflictPolicy
OFF = NearDedupe(enabled=False)
SOURCES = [source("alpaca", 20), source("belle", 10), source("cot", 20)]

# fmt: off
ROWS = [  # source, prompt, response
    {"source": "alpaca", "user": "Name a primate.",  "assistant": "The ring-tailed lemur of Madagascar."},
    {"source": "belle",  "user": "name a  PRIMATE.", "assistant": "Gibbon"},
    {"source": "cot",    "user": "Name a primate.",  "assistant": "A gorilla"},
    {"source": "cot",    "user": "Name a primate!",  "assistant": "An orang-utan"},
    {"source": "alpaca", "user": "Name a bird.",     "assistant": "Wren"},
    {"source": "alpaca", "user": "Name a bird.",     "assistant": "Crow"},
]
# fmt: on


def losers(judged: pl.DataFrame) -> dict[int, tuple[int, str, str]]:
    """Who fell to whom in a conflict, by index, and the evidence."""
    rows = judged.filter(pl.col("drop_reason") == "conflicting_response")
    columns = ("record_id", "duplicate_of", "found", "expected")
    return {
        int(row, 16): (int(kept, 16), found, expected)
        for row, kept, found, expected in rows.select(columns).rows()
    }


def test_all_answers_stay_where_the_recipe_says_nothing():
    judged = judge_near(records(ROWS), SOURCES)
    assert judged["drop_reason"].null_count() == len(ROWS)


@pytest.mark.parametrize("rules", [NearDedupe(), OFF], ids=["near dedupe on", "off"])
def test_the_best_is_of_the_best_priority_then_source_then_record(rules: NearDedupe):
    assert losers(judge_near(records(ROWS), SOURCES, rules, policy=BEST)) == {
        0: (1, "priority 20 (source alpaca)", "priority 10 (source belle)"),
        2: (1, "priority 20 (source cot)", "priority 10 (source belle)"),
        5: (4, f"record_id {5:032x}", f"record_id {4:032x}"),
    }
    without_belle = records(row for row in ROWS if row["source"] != "belle")
    assert losers(judge_near(without_belle, SOURCES, rules, policy=BEST)) == {
        1: (0, "source cot", "source alpaca"),
        4: (3, f"record_id {4:032x}", f"record_id {3:032x}"),
    }


@pytest.mark.parametrize("rules", [NearDedupe(), OFF], ids=["near dedupe on", "off"])
def test_the_longest_answer_stays_and_ties_go_to_the_best(rules: NearDedupe):
    assert losers(judge_near(records(ROWS), SOURCES, rules, policy=LONGEST)) == {
        1: (0, "6 characters", "36 characters"),
        2: (0, "9 characters", "36 characters"),
        5: (4, f"record_id {5:032x}", f"record_id {4:032x}"),
    }


def test_a_longer_answer_goes_first_and_no_row_before_its_place():
    """Rows 0 and 2 share a prompt and so do 1 and 4; 2 and 1 are the longer ones."""
    prompts = conflict.Prompts(
        np.array([0, 1, 0, 3, 1], np.uint32), np.zeros(5, np.uint32), np.zeros(5, np.bool_), True
    )
    chars = np.array([5, 7, 9, 1, 3], np.uint32)
    assert conflict.longest_first(np.arange(5), prompts, chars).tolist() == [1, 2, 0, 3, 4]


def test_length_is_in_code_points_of_the_row_as_it_is_published():
    rows = [
        {"user": "Say it", "assistant": "éééé"},
        {"user": "Say it", "assistant": "zzzzz"},
        {"user": "Do it", "assistant": "one  two   "},
        {"user": "Do it", "assistant": "a hundred"},
    ]
    judged = judge_near(records(rows), policy=LONGEST)
    assert {row: found for row, (_, found, _) in losers(judged).items()} == {
        0: "4 characters",
        3: "9 characters",
    }


def test_the_similarities_are_those_of_the_two_rows():
    rows = [
        {"user": "Name a primate.", "assistant": "abcdefgh"},
        {"user": "Name a primate.", "assistant": "abcdefxy"},
    ]
    judged = judge_near(records(rows), policy=BEST)
    assert judged["prompt_similarity"][1] == 1.0
    assert judged["response_similarity"][1] == pytest.approx(2 / 6)


def test_near_duplicates_fall_as_such_before_answers_are_compared():
    answer = "The ring-tailed lemur is a primate that lives in the dry forests of Madagascar"
    rows = [
        {"user": "Name a primate.", "assistant": answer},
        {"user": "Name a primate.", "assistant": answer + "!"},
        {"user": "Name a primate.", "assistant": "A gorilla"},
    ]
    judged = judge_near(records(rows), policy=BEST)
    assert judged["drop_reason"].to_list() == [None, "near_duplicate", "conflicting_response"]
    longest = judge_near(records(rows), policy=LONGEST)
    assert longest["drop_reason"].to_list() == ["near_duplicate", None, "conflicting_response"]
    assert set(longest["duplicate_of"].drop_nulls()) == {f"{1:032x}"}


def test_earlier_turns_and_tools_belong_to_the_prompt():
    def turns(*contents: str, tools: str | None = None) -> dict[str, object]:
        roles = ("system", "user", "assistant") if len(contents) == 3 else ("user", "assistant")
        messages = [
            {"role": role, "content": content}
            for role, content in zip(roles, contents, strict=True)
        ]
        return {"messages": messages, "tools": tools}

    rows = [
        turns("Name a primate.", "Lemur"),
        turns("Be brief.", "Name a primate.", "Gibbon"),
        turns("Name a primate.", "Human", tools="[1]"),
        turns("Be brief.", "Name a primate.", "Gorilla"),
        turns("Name a primate.", "Orang-utan", tools="[1]"),
    ]
    assert {row: kept for row, (kept, _, _) in losers(judge_near(records(rows), policy=BEST)).items()} == {
        3: 1,
        4: 2,
    }  # fmt: skip


def test_the_same_answer_twice_is_no_conflict():
    rows = [
        {"user": "Name a primate.", "assistant": answer} for answer in ("Lemur", "lemur ", "Ape")
    ]
    judged = judge_near(records(rows[:2]), rules=OFF, policy=BEST)
    assert judged["drop_reason"].null_count() == 2
    assert judged["conflict"].null_count() == 2
    judged = judge_near(records(rows), rules=OFF, policy=BEST)
    assert list(losers(judged)) == [2]
    assert judged["conflict"].null_count() == 0


@pytest.mark.parametrize("policy", ConflictPolicy)
def test_conflicts_are_counted_and_named_under_every_policy(policy: ConflictPolicy):
    result = near_result(records(ROWS), SOURCES, policy=policy)
    notes = dict(result.notes)
    assert (notes["conflicting_prompts"], notes["conflicting_rows"]) == ("2", "5")
    first, second = f"{0:032x}", f"{4:032x}"
    assert result.verdicts["conflict"].to_list() == [first, first, first, None, second, second]


def test_prompts_of_one_digest_are_told_apart_by_their_text():
    rows = [
        {"user": user, "assistant": answer} for user, answer in (("a", "x"), ("b", "y"), ("a", "z"))
    ]
    texts = pl.DataFrame(rows)
    data = np.frombuffer("".join(texts["user"]).encode(), np.uint8).copy()
    ends = np.arange(1, 4)
    nothing = np.zeros(3, np.uint64)
    sketches, filled = np.zeros((2, 3, 1), np.uint8), np.zeros((2, 3), np.uint8)
    both = np.stack([ends - 1, ends - 1]), np.stack([ends, ends])
    read = Rows(
        Texts(data, *both), sketches, filled, nothing, nothing, nothing, np.zeros(3, np.uint32)
    )
    prompts = conflict.gather_prompts(read, np.arange(3), np.full(3, 7, np.uint64), ALL)
    assert prompts.first.tolist() == [0, 1, 0]


# Laws

PROMPTS = st.sampled_from(["Name a primate.", "NAME a primate.", "Name a bird that sings.", ""])
ANSWERS = st.sampled_from(
    [
        "Lemur",
        "lemur",
        "A ring-tailed lemur of Madagascar",
        "A ring-tailed lemur of Madagascar.",
        "",
    ]
)
CORPORA = st.lists(
    st.fixed_dictionaries(
        {
            "user": PROMPTS,
            "assistant": ANSWERS,
            "source": st.sampled_from(["alpaca", "belle", "cot"]),
            "tools": st.sampled_from([None, "[1]"]),
        }
    ),
    max_size=16,
)


@given(
    CORPORA,
    st.sampled_from(ConflictPolicy),
    st.booleans(),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_neither_the_order_of_rows_nor_their_shards_nor_threads_count(
    rows, policy, enabled, shuffle, shard_rows, threads
):
    rules = NearDedupe(enabled=enabled)
    frame = records(rows)
    order = shuffle.sample(range(len(rows)), len(rows))
    shuffled = frame[order] if order else frame
    one = judge_near(frame, SOURCES, rules, policy=policy)
    other = judge_near(shuffled, SOURCES, rules, threads, shard_rows, policy)
    assert one.sort("record_id").equals(other.sort("record_id"))


@given(CORPORA, st.sampled_from([BEST, LONGEST]), st.booleans())
def test_every_prompt_keeps_one_answer_and_every_loser_names_it(rows, policy, enabled):
    judged = judge_near(records(rows), SOURCES, NearDedupe(enabled=enabled), policy=policy)
    reasons, names = judged["drop_reason"].to_list(), judged["duplicate_of"].to_list()
    said = [(row["user"].lower(), row["tools"]) for row in rows]
    for prompt in set(said):
        kept = [index for index, one in enumerate(said) if one == prompt and reasons[index] is None]
        assert len({rows[index]["assistant"].strip().lower() for index in kept}) <= 1
    for index, reason in enumerate(reasons):
        if reason is not None:
            assert reasons[int(names[index], 16)] is None
        if reason == "conflicting_response":
            kept = int(names[index], 16)
            assert said[kept] == said[index]
            if policy is LONGEST:
                assert len(rows[kept]["assistant"]) >= len(rows[index]["assistant"])
