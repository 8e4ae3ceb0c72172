"""Duplicate clusters: the published row, and everything that fell to it."""

from tasks.measure.clusters import PROMPT_CHARS, clusters, largest_clusters
from tasks.measure.summary import summarise
from tests.measure.corpora import judged, records

# a: a near copy of it (c), exact copies of that (c again, d), an exact copy of its own (a again).
# x: fell to e, which a rule dropped.
CORPUS = """
    record_id | source | drop_reason     | duplicate_of
    a         | alpaca |                 |
    a         | belle  | exact_duplicate | a
    c         | belle  | exact_duplicate | c
    c         | cot    | near_duplicate  | a
    d         | belle  | exact_duplicate | c
    b         | dolly  |                 |
    f         | dolly  | exact_duplicate | b
    e         | alpaca | empty_response  |
    x         | alpaca | exact_duplicate | e
    z         | alpaca |                 |
"""


def test_a_cluster_counts_the_kept_row_and_all_that_fell_to_it() -> None:
    found = clusters(judged(CORPUS)).sort("record_id").collect()
    assert found.to_dicts() == [
        {"record_id": "a", "source": "alpaca", "removed_from": ["belle", "cot"], "rows": 5},
        {"record_id": "b", "source": "dolly", "removed_from": ["dolly"], "rows": 2},
    ]


def test_the_largest_come_first_with_the_start_of_their_prompt() -> None:
    corpus = judged(CORPUS)
    texts = records(corpus, {"a": "  Name\n a  primate" + "!" * 300})
    first, second = largest_clusters(corpus, texts, 10)
    assert (first.record_id, first.rows, first.removed_from) == ("a", 5, ("belle", "cot"))
    assert first.prompt == ("Name a primate" + "!" * 300)[:PROMPT_CHARS]
    assert (second.record_id, second.prompt) == ("b", "Name a primate.")


def test_only_as_many_are_named_as_were_asked_for() -> None:
    corpus = judged(CORPUS)
    assert [c.record_id for c in largest_clusters(corpus, records(corpus, {}), 1)] == ["a"]
    assert largest_clusters(corpus, records(corpus, {}), 0) == ()


def test_a_corpus_without_duplicates_has_no_cluster() -> None:
    corpus = judged(CORPUS).filter(record_id="z")
    assert largest_clusters(corpus, records(corpus, {}), 10) == ()


def test_the_statistics_are_of_published_rows_and_the_same_for_every_order() -> None:
    corpus = judged(CORPUS)
    statistics = summarise(corpus, records(corpus, {}), 10, "b" * 64)
    assert statistics == summarise(corpus.reverse(), records(corpus, {}).reverse(), 10, "b" * 64)
    assert statistics.lengths[0].count == 3
    assert statistics.tokenizer_digest == "b" * 64
    assert len(statistics.clusters) == 2
