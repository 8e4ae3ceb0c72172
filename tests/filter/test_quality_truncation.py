import pytest

from schemas.quality import Truncation
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only_quality, records

WHOLE = "Leaves are green in summer because they hold chlorophyll. "
ZH_WHOLE = "夏天的树叶是绿色的，因为其中含有叶绿素。"

# fmt: off
ENDS = {  #                       response                                                       cut
    "a comma":                    (WHOLE + "In autumn they turn yellow, red and brown,",          True),
    "an article":                 (WHOLE + "In autumn they turn yellow because of the",           True),
    "a conjunction":              (WHOLE + "In autumn they turn yellow and brown, and",           True),
    "an open bracket":            (WHOLE + "In autumn they turn yellow or brown (",               True),
    "an open quotation mark":     (WHOLE + "In autumn my grandmother used to say “",              True),
    "a cut word":                 (WHOLE + "In autumn they turn yellow because chloro-",          True),
    "Chinese connective":         (ZH_WHOLE + "秋天树叶变黄，是因为光照减少以及",                     True),
    "Chinese particle":           (ZH_WHOLE + "秋天的时候，树林里的叶子会变成黄色的、红色的",           True),
    "Chinese comma":              (ZH_WHOLE * 2 + "到了秋天叶子会变成黄色、红色或者棕色，",            True),
    "a full stop":                (WHOLE + "In autumn they turn yellow and brown.",               False),
    "Chinese full stop":          (ZH_WHOLE + "秋天树叶变黄，是因为光照减少了。",                      False),
    "no mark at all":             (WHOLE + "In autumn they turn yellow, red and brown",           False),
    "a letter's close":           (WHOLE + "\n\nSincerely,",                                      False),
    "a capital article":          (WHOLE + "\nThe right one of both is Sentence A",               False),
    "a list item":                (WHOLE + "\n- yellow leaves that fall in autumn and the",       False),
    "a heading":                  (WHOLE + "\n\nLeaves of the",                                   False),
    "hashtags":                   (WHOLE + "Look at them! #leaves #autumnofthe",                  False),
    "an address":                 (WHOLE + "More of it at https://leaves.example/of-the",         False),
    "code":                       ("import leaves\n" * 3 + "print(leaves.green, leaves.yellow, leaves.red),", False),
    "a formula":                  (WHOLE + "Its colour is given by the formula c = a +,",         False),
    "a Chinese list of adjectives": ("橡树：坚固的，高大的，笔直的，厚实的，有弹性的，奢华的，独特的，直立的，长寿的，分枝的，茂密的，古老的，雄伟的，常绿的，挺拔的", False),
    "short":                      ("Leaves of the",                                               False),
    "a cordial close":            (WHOLE + "\n\nWith all my love and very best wishes,",           False),
    "before a price":             ("The total cost of the leaves is $",                           True),
    "a price":                    ("The total cost of the leaves is $20",                         False),
    "before a Chinese price":     ("十盒树叶的总成本是 $",                                           True),
    "a regular expression":       ("It is matched by the expression ^[a-z]+$",                    False),
    "before the end of a range":  ("The leaves are numbered from 1 to",                           True),
    "before a Chinese end":       ("这些叶子的编号从 1 到",                                          True),
    "a range":                    ("The leaves are numbered from 1 to 20",                        False),
    "between one and":            ("Leaves cost anywhere between $13 and $",                      True),
    "before a sum":               ("The number of green leaves is equal to",                      True),
    "before a score":             ("If a leaf falls, the score of this round is",                 True),
    "an indirect question":       ("Ask the shop what the total cost is",                         False),
    "as it is":                   ("That is the way it is",                                       False),
    "before the last number":     ("They have 1, 2, 4, 5, 10, and",                               True),
    "in a character":             ("橡树的叶子是绿色的，尊\ufffd",                                    True),
    "ten characters":             ("It costs $",                                                  True),
    "nine characters":            ("It cost $",                                                   False),
}
# fmt: on


@pytest.mark.parametrize(("response", "cut"), ENDS.values(), ids=ENDS)
def test_a_last_line_that_breaks_off_is_truncated(response, cut):
    rules = only_quality(truncation=Truncation(enabled=True, min_chars=20))
    verdict = judge(records(("Why are leaves green?", response)), rules).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.TRUNCATED if cut else None]


@pytest.mark.parametrize(("min_chars", "falls"), [(40, True), (41, False)])
def test_shorter_responses_are_not_judged(min_chars, falls):
    response = "They turn red, or yellow, because of the"
    assert len(response) == 40
    rules = only_quality(truncation=Truncation(enabled=True, min_chars=min_chars))
    verdict = judge(records(("Why?", response)), rules).collect()
    assert verdict["found"].to_list() == [f"… {response}" if falls else None]


def test_verse_ends_where_it_likes():
    rules = only_quality(truncation=Truncation(enabled=True))
    verdict = judge(records(("Write a poem", f"{WHOLE}\nand all my leaves fall on the,")), rules)
    assert verdict.collect()["drop_reason"].to_list() == [None]


# fmt: off
WORDINGS = {  #              prompt                                          falls
    "arithmetic":           ("What is 14 + 6?",                              True),
    "a sentence to finish": ("Complete the sentence: the total is equal to", False),
    "words to sort":        ("Sort the words of this line.",                 False),
    "in Chinese":           ("把这些词排序。",                                  False),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "falls"), WORDINGS.values(), ids=WORDINGS)
def test_an_answer_about_words_may_be_any_piece_of_a_sentence(prompt, falls):
    rules = only_quality(truncation=Truncation(enabled=True))
    verdict = judge(records((prompt, "The sum of 14 and 6 is equal to")), rules).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.TRUNCATED if falls else None]
