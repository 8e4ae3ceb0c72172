"""Near duplicates: which rows fall, to whom, and which rows must not."""

import math
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.dedupe import NearDedupe
from tests.dedupe.corpora import judge_near, near_result, records, similarity, source

POEM = "Write a short poem about the sea in autumn, please"
ANSWER = (
    "The sea in autumn is grey and slow, the gulls have gone where warm winds blow, "
    "and on the shore the fishing boats lie under tarpaulin in their coats."
)
ALMOST = ANSWER.replace("grey", "gray")
CHINESE = "请用一段话描述秋天的大海，要求语言优美，并且使用至少一个比喻句来表达情感"
CHINESE_ANSWER = "秋天的大海像一面安静的镜子，映着高远的天空，海风轻轻吹过，带来远方渔船的歌声"


def fallen(judged: pl.DataFrame) -> dict[int, int]:
    """Who fell to whom, by index."""
    rows = judged.drop_nulls("drop_reason").select("record_id", "duplicate_of").rows()
    return {int(row, 16): int(kept, 16) for row, kept in rows}


def pair(one: tuple[str, str], other: tuple[str, str]) -> pl.DataFrame:
    return records([{"user": user, "assistant": assistant} for user, assistant in (one, other)])


# fmt: off
PAIRS = {  #                one row                                  another                                          falls?
    "the same":            ((POEM, ANSWER),                          (POEM, ANSWER),                                  True),
    "a letter":            ((POEM, ANSWER),                          (POEM, ALMOST),                                  True),
    "both sides":          ((POEM, ANSWER),                          (POEM.replace("please", "pleas"), ALMOST),       True),
    "case and width":      ((POEM, ANSWER),                          (POEM.upper(), ANSWER.replace(",", "，")),        True),
    "another answer":      ((POEM, ANSWER),                          (POEM, "No, I would rather not write one now."), False),
    "another prompt":      ((POEM, ANSWER),                          ("Describe the sea.", ANSWER),                   False),
    "long prompt drowns":  ((POEM * 50, "Yes, it is."),              (POEM * 50, "No, it is not."),                   False),
    "numbers differ":      ((POEM, ANSWER + " It was 1990."),        (POEM, ANSWER + " It was 1991."),                False),
    "numbers move sides":  ((POEM + " 1 2", ANSWER + " 3"),          (POEM + " 1 3", ANSWER + " 2"),                  False),
    "Chinese":             ((CHINESE, CHINESE_ANSWER),               (CHINESE, CHINESE_ANSWER + "。"),                 True),
    "Chinese, another":    ((CHINESE, CHINESE_ANSWER),               (CHINESE, "我不喜欢大海，也不想写任何关于它的文字。"),  False),
    "short, the same":     (("Hi", "Yes"),                           ("hi ", "YES"),                                  True),
    "short, different":    (("Hi", "Yes"),                           ("Hi", "Yep"),                                   False),
    "another verdict":     ((POEM, ANSWER + " Yes."),                (POEM, ANSWER + " No."),                         False),
    "number word":         ((POEM + ", in four lines", ANSWER),      (POEM + ", in five lines", ANSWER),              False),
    "one character":       (("a", "b"),                              ("a", "c"),                                      False),
    "no prompt":           (("", ANSWER),                            ("", ALMOST),                                    True),
    "a prompt, none":      ((POEM, ANSWER),                          ("", ANSWER),                                    False),
    "nothing at all":      (("", ""),                                ("", ""),                                        True),
    "no answer, one":      ((POEM, ""),                              (POEM, ANSWER),                                  False),
    "one repeated word":   (("ha " * 400, "ho " * 400),              ("ha " * 300, "ho " * 500),                      True),
    "invisible marks":     ((POEM, ANSWER),                          ("\u200f" + POEM, ANSWER + "\u200b\ufeff"),      True),
    "emoji":               (("😀" * 9, "😀😁😂" * 3),                   ("😀" * 8, "😀😁😂" * 4),                            True),
}
# fmt: on


@pytest.mark.parametrize(("one", "other", "falls"), PAIRS.values(), ids=PAIRS)
def test_prompt_and_response_must_both_be_alike(
    one: tuple[str, str], other: tuple[str, str], falls: bool
):
    assert fallen(judge_near(pair(one, other))) == ({1: 0} if falls else {})


@pytest.mark.parametrize("side", ["user", "assistant"])
def test_the_threshold_is_inclusive_on_either_side(side: str):
    rows = [{"user": POEM, "assistant": ANSWER}, {"user": POEM, "assistant": ANSWER}]
    rows[1][side] = rows[1][side].replace("autumn", "autumm")
    exactly = similarity(rows[0][side], rows[1][side])
    assert 0.7 < exactly < 1
    at, above = NearDedupe(threshold=exactly), NearDedupe(threshold=math.nextafter(exactly, 2))
    judged = judge_near(records(rows), rules=at)
    assert fallen(judged) == {1: 0}
    assert judged["prompt_similarity"][1] == pytest.approx(
        exactly if side == "user" else 1.0, abs=1e-7
    )
    assert judged["response_similarity"][1] == pytest.approx(
        exactly if side == "assistant" else 1.0, abs=1e-7
    )
    assert fallen(judge_near(records(rows), rules=above)) == {}


def test_a_row_falls_to_a_kept_row_never_through_another():
    """Each is near the next, the ends are not: the middle falls, the ends stay."""
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "oscar"]
    chain = [" ".join(words[: 9 - cut] + ["kilo"] * cut) for cut in range(3)]
    assert similarity(chain[0], chain[1]) >= 0.7 > similarity(chain[0], chain[2])
    assert similarity(chain[1], chain[2]) >= 0.7
    rows = records([{"user": POEM, "assistant": text} for text in chain])
    assert fallen(judge_near(rows, rules=NearDedupe(threshold=0.7))) == {1: 0}


def test_priority_decides_who_stays_then_source_then_record_id():
    sources = [source("zeta", 1), source("alpha", 2), source("beta", 2)]
    rows = [
        {"source": "beta", "user": POEM, "assistant": ANSWER},
        {"source": "alpha", "user": POEM, "assistant": ALMOST},
        {"source": "zeta", "user": POEM, "assistant": ANSWER + "!"},
    ]
    assert fallen(judge_near(records(rows), sources)) == {0: 2, 1: 2}
    rows[2]["user"] = "Something else altogether"
    assert fallen(judge_near(records(rows), sources)) == {0: 1}


def test_of_two_sources_the_stricter_rule_holds():
    sources = [source("loose"), source("strict")]
    other = ANSWER.replace("warm winds", "cold winds").replace("lie under", "sit below")
    assert 0.6 < similarity(ANSWER, other) < 0.8
    loose = NearDedupe.model_validate(
        {"overrides": [{"source": "loose", "threshold": 0.6, "compare_numbers": False}]}
    )

    def judged(names: tuple[str, str], *answers: str) -> dict[int, int]:
        rows = records(
            {"source": name, "user": POEM, "assistant": answer}
            for name, answer in zip(names, answers, strict=True)
        )
        return fallen(judge_near(rows, sources, loose))

    assert judged(("loose", "loose"), ANSWER, other) == {1: 0}
    assert judged(("loose", "strict"), ANSWER, other) == {}
    assert judged(("loose", "loose"), ANSWER + " 1990", ANSWER + " 1991") == {1: 0}
    assert judged(("loose", "strict"), ANSWER + " 1990", ANSWER + " 1991") == {}
    no_answers = [{"source": "loose", "compare_answers": False}]
    for overrides, falls in ((no_answers, {1: 0}), ([], {})):
        rules = NearDedupe.model_validate({"overrides": overrides})
        rows = [
            {"source": "loose", "user": POEM, "assistant": f"{ANSWER} {said}"}
            for said in ("Yes", "No")
        ]
        assert fallen(judge_near(records(rows), sources, rules)) == falls
        rows[1]["source"] = "strict"
        assert fallen(judge_near(records(rows), sources, rules)) == {}
    years = [f"{ANSWER} {year}" for year in (1990, 1991, 1992)]
    assert judged(("loose", "loose", "strict"), *years) == {1: 0}


def test_tools_must_be_the_same():
    row = {"user": POEM, "assistant": ANSWER}
    assert fallen(judge_near(records([{**row, "tools": "[1]"}, {**row, "tools": "[2]"}]))) == {}
    assert fallen(judge_near(records([{**row, "tools": "[1]"}, {**row, "tools": "[1]"}]))) == {1: 0}


def test_code_keeps_its_indentation_and_its_case():
    block = "def f(items):\n{0}for item in items:\n{0}{0}if item:\n{0}{0}{0}yield item\n"
    rows = [{"source": "code", "assistant": block.format(unit)} for unit in ("\t", "    ")]
    as_prose, as_code = [source("code")], [source("code", code=True)]
    assert fallen(judge_near(records(rows), as_prose)) == {1: 0}
    assert fallen(judge_near(records(rows), as_code)) == {}
    rows[1]["assistant"] = rows[0]["assistant"].replace("\n", " \r\n")
    assert fallen(judge_near(records(rows), as_code)) == {1: 0}


def test_code_and_prose_are_not_compared():
    sources = [source("code", code=True), source("prose")]
    rows = [{"source": name, "user": "x", "assistant": ANSWER} for name in ("code", "prose")]
    assert fallen(judge_near(records(rows), sources)) == {}


def test_no_rows_one_row_and_all_rows_equal():
    assert judge_near(records([])).height == 0
    alone = judge_near(records([{"user": POEM, "assistant": ANSWER}]))
    assert alone["cluster"].to_list() == alone["record_id"].to_list()
    equal = judge_near(records([{"user": POEM, "assistant": ANSWER}] * 300), threads=2)
    assert fallen(equal) == dict.fromkeys(range(1, 300), 0)


def test_a_row_of_5_megabytes_is_compared():
    book = " ".join(str(number) for number in range(750_000))
    judged = judge_near(pair(("Count", book), ("Count!", book)), rules=NearDedupe(threshold=0.6))
    assert len(book) > 5_000_000
    assert fallen(judged) == {}
    judged = judge_near(pair(("Count it", book), ("Count it!", book)))
    assert fallen(judged) == {1: 0}


BIG = 5_000_000
# fmt: off
BAD = {  #                      rows (each the prompt and the response)                            who falls to whom
    "empty strings":           (["", "", ""],                                                      {1: 0, 2: 0}),
    "empty or blank":          (["", " \n", "\u200b\u200e"],                                       {1: 0, 2: 0}),
    "one character":           (["a", "b", "a", "A", "é", "你", "你"],                               {2: 0, 3: 0, 6: 5}),
    "shorter than a shingle":  (["abcd", "abce", "abcd"],                                          {2: 0}),
    "5 MB of one letter":      (["x" * BIG, "x" * (BIG - 1), "y" * BIG],                           {1: 0}),
    "5 MB of 一":               (["一" * (BIG // 3), "一" * (BIG // 3)],                              {1: 0}),
    "lone surrogates":         (["\ufffd\ufffd", "\ufffd\ufffd", "\ufffd"],                       {1: 0}),
    "right to left marks":     (["\u200fשלום עולם", "שלום עולם\u200e", "שלום לכם"],                  {1: 0}),
    "overrides of direction":  (["\u202eabcdefg\u202c", "abcdefg", "gfedcba"],                      {1: 0}),
    "zero-width characters":   (["z\u200be\u200cr\u200do wid\u2060th", "zero wid\ufeffth", "zerowidth"], {1: 0}),
    "one repeated word":       (["spam " * 9, "spam " * 900, "eggs " * 9, "spam"],                 {1: 0}),
    "number words repeated":   (["two " * 9, "two " * 10],                                         {}),
    "all equal":               (["the same row again"] * 50,                                       dict.fromkeys(range(1, 50), 0)),
    "no rows":                 ([],                                                                {}),
    "one row":                 (["alone"],                                                         {}),
    "NUL and controls":        (["a\x00b\x01c", "a\x00b\x01c", "a\x00b\x01d"],                     {1: 0}),
    "combining marks":         (["e\u0301" * 40, "e\u0301" * 41, "e" * 40],                         {1: 0}),
    "beyond the first plane":  (["\U0001f600\U0010fffd" * 9, "\U0001f600\U0010fffd" * 8],           {1: 0}),
}
# fmt: on


@pytest.mark.parametrize(("texts", "falls"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("code", [False, True], ids=["prose", "code"])
def test_bad_input_gets_the_right_verdicts(texts: list[str], falls: dict[int, int], code: bool):
    rows = records({"user": text, "assistant": text} for text in texts)
    judged = judge_near(rows, [source(code=code)], threads=2)
    if not code:  # whose invisible characters and case are content
        assert fallen(judged) == falls
    kept = judged.filter(pl.col("drop_reason").is_null())
    assert judged.height == len(texts)
    assert kept["cluster"].null_count() == 0
    assert set(judged["duplicate_of"].drop_nulls()) <= set(kept["record_id"])


def test_a_source_of_one_row_is_judged_among_the_others():
    sources = [source("alone", 1), source("many", 2)]
    rows = [{"source": "alone", "user": POEM, "assistant": ANSWER}]
    rows += [{"source": "many", "user": POEM, "assistant": f"{ANSWER}{'!' * n}"} for n in range(3)]
    assert fallen(judge_near(records(rows), sources)) == {1: 0, 2: 0, 3: 0}


def template(total: int) -> pl.DataFrame:
    """Rows of "What is {a} + {b}?", no two of one sum."""
    return records(
        {"user": f"What is {a} + {b}?", "assistant": f"{a} + {b} = {a + b}"}
        for a, b in (divmod(row, 317) for row in range(total))
    )


def test_a_template_is_linear_and_no_row_falls_whose_numbers_differ():
    """Work is counted, not timed: candidates per row do not grow with the rows."""
    per_row = []
    for total in (3_000, 12_000):
        result = near_result(template(total), threads=2)
        assert result.verdicts["drop_reason"].null_count() == total
        per_row.append(int(dict(result.notes)["candidates"]) / total)
    assert per_row[1] <= per_row[0] + 1


def test_where_numbers_may_differ_no_row_of_a_template_falls_below_the_threshold():
    rows = template(2_000)
    loose = NearDedupe(compare_numbers=False)
    judged = judge_near(rows, rules=loose, threads=2)
    said = rows["messages"].to_list()
    for row, kept in fallen(judged).items():
        for turn, other in zip(said[row], said[kept], strict=True):
            assert similarity(turn["content"], other["content"]) >= loose.threshold


def test_a_template_with_numbers_loses_no_row_and_fills_no_bucket():
    rows = records(
        {"user": f"What is {a} + {b}?", "assistant": f"{a} + {b} = {a + b}"}
        for a in range(100, 150)
        for b in range(500, 540)
    )
    result = near_result(rows)
    notes = dict(result.notes)
    assert result.verdicts["drop_reason"].null_count() == 2000
    assert notes["capped_buckets"] == "0"
    assert int(notes["candidates"]) < 2000 * 4


def test_a_full_bucket_is_counted_and_no_row_falls_below_the_threshold():
    rows = records(
        {"user": POEM, "assistant": f"{ANSWER[:40]} {chr(97 + one)}{chr(97 + two)} of the tide"}
        for one in range(26)
        for two in range(26)
    )
    result = near_result(rows, rules=NearDedupe(threshold=0.99, bucket=4))
    assert result.verdicts["drop_reason"].null_count() == 676
    assert int(dict(result.notes)["capped_buckets"]) > 0


def test_threads_do_not_change_the_result():
    """More rows than two blocks, many of them near one another."""
    draw = random.Random(3)
    words = [chr(0x4E00 + point) * 2 for point in range(60)]
    rows = records(
        {
            "user": "".join(draw.choices(words[:8], k=3)) + POEM,
            "assistant": "".join(draw.choices(words, k=2)) + ANSWER[draw.randrange(3) :],
        }
        for _ in range(18_000)
    )
    one, two, four = (near_result(rows, threads=threads) for threads in (1, 2, 4))
    assert one.verdicts.equals(two.verdicts)
    assert one.verdicts.equals(four.verdicts)
    assert one.notes == two.notes == four.notes
    assert 0 < one.verdicts["drop_reason"].count() < 18_000


# Clusters


def test_rows_of_one_prompt_share_a_cluster_named_by_its_smallest_record():
    sources = [source("first", 1), source("last", 9)]
    rows = records(
        [
            {"source": "last", "user": "Tell me a joke", "assistant": "Knock knock."},
            {"source": "last", "user": "What is a lemur?", "assistant": "A primate."},
            {"source": "first", "user": "tell me a  JOKE", "assistant": "A man walks into a bar."},
        ]
    )
    judged = judge_near(rows, sources)
    ids = rows["record_id"]
    assert judged["cluster"].to_list() == [ids[0], ids[1], ids[0]]


def test_like_prompts_share_a_cluster_whatever_their_answers_and_numbers():
    rows = records(
        [
            {"user": f"{POEM}. Use 10 lines.", "assistant": ANSWER},
            {"user": f"{POEM}. Use 11 lines.", "assistant": "I do not write poems."},
            {"user": f"{POEM}! Use 11 lines.", "assistant": "Grey, grey, grey, all the way."},
            {"user": CHINESE, "assistant": CHINESE_ANSWER},
        ]
    )
    judged = judge_near(rows)
    ids = rows["record_id"]
    assert fallen(judged) == {}
    assert judged["cluster"].to_list() == [ids[0], ids[0], ids[0], ids[3]]


def test_a_row_that_falls_has_no_cluster():
    judged = judge_near(pair((POEM, ANSWER), (POEM, ALMOST)))
    assert judged["cluster"].to_list() == [judged["record_id"][0], None]


def test_without_near_dedupe_nothing_falls_and_one_prompt_is_still_one_cluster():
    rows = records([{"user": POEM, "assistant": ANSWER}, {"user": POEM, "assistant": ALMOST}])
    judged = judge_near(rows, rules=NearDedupe(enabled=False))
    assert fallen(judged) == {}
    assert judged["cluster"].n_unique() == 1


# Laws

SENTENCES = (POEM, ANSWER, CHINESE, CHINESE_ANSWER, "Yes", "", "What is 3 + 4?")
EDITS = st.sampled_from(
    [("", ""), ("e", "a"), ("的", "之"), ("sea", "lake"), ("3", "5"), ("a", "A")]
)
TEXTS = st.tuples(st.sampled_from(SENTENCES), EDITS, st.sampled_from(["", "!", " 7"])).map(
    lambda drawn: drawn[0].replace(*drawn[1], 1) + drawn[2]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"user": TEXTS, "assistant": TEXTS, "source": st.sampled_from(["alpaca", "belle"])}
    ),
    max_size=20,
)
SOURCES = [source("alpaca", 2), source("belle", 1)]


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 5), st.integers(1, 3))
def test_neither_the_order_of_rows_nor_their_shards_nor_threads_count(
    rows, shuffle, shard_rows, threads
):
    frame = records(rows)
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    one = judge_near(frame, SOURCES)
    shuffled = frame[order] if order else frame
    other = judge_near(shuffled, SOURCES, threads=threads, shard_rows=shard_rows)
    assert one.sort("record_id").equals(other.sort("record_id"))


@given(ROWS)
def test_every_fallen_row_names_a_kept_row_that_is_as_like_it_as_it_says(rows):
    frame = records(rows)
    judged = judge_near(frame, SOURCES)
    kept = set(judged.filter(pl.col("drop_reason").is_null())["record_id"])
    for verdict in judged.drop_nulls("drop_reason").rows(named=True):
        row, other = rows[int(verdict["record_id"], 16)], rows[int(verdict["duplicate_of"], 16)]
        assert verdict["duplicate_of"] in kept
        for side, column in (("user", "prompt"), ("assistant", "response")):
            exactly = similarity(row[side], other[side])
            assert exactly >= 0.8
            assert verdict[f"{column}_similarity"] == pytest.approx(exactly, abs=1e-7)


@given(ROWS)
def test_what_stays_is_left_alone_the_second_time(rows):
    """True as long as no bucket is full and no row has more candidates than it may try."""
    frame = records(rows)
    left = frame.filter(judge_near(frame, SOURCES)["drop_reason"].is_null())
    assert judge_near(left, SOURCES)["drop_reason"].null_count() == left.height


@given(ROWS)
def test_rows_whose_prompts_fold_alike_are_never_split(rows):
    judged = judge_near(records(rows), SOURCES).drop_nulls("cluster")
    prompts = [rows[int(record_id, 16)]["user"] for record_id in judged["record_id"]]
    folded = judged.with_columns(pl.Series("prompt", prompts, dtype=pl.String).str.to_lowercase())
    assert (folded.group_by("prompt").agg(pl.col("cluster").n_unique())["cluster"] == 1).all()
    ids = set(judged["record_id"])
    assert set(judged["cluster"]) <= ids
