import pytest
from pydantic import ValidationError

from schemas.quality import LengthRatio, NoContent, PromptRepeated, UnfinishedTemplate
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only_quality, records

DRAW = "Design a logo for a bakery."

# fmt: off
ANSWERS = {  #                          prompt                                     response                          hollow
    "no output":                        (DRAW,                                     "<nooutput>",                     True),
    "no output, in words":              (DRAW,                                     "No output required.",            True),
    "no input":                         (DRAW,                                     "<noinput>",                      True),
    "no output, in Chinese":            ("设计一个标志。",                            "无输出",                          True),
    "what a program prints":            ("What is the output of this code? pass",  "No output",                      False),
    "what it prints, in Chinese":       ("这段代码的输出是什么？",                     "无输出",                          False),
    "where a picture would stand":      (DRAW,                                     "[Insert logo here]",             True),
    "named in brackets":                (DRAW,                                     "(Flow chart)",                   True),
    "the same in Chinese":              ("画一张流程图。",                            "<插入流程图>",                    True),
    "a picture's name in prose":        (DRAW,                                     "A logo with an ear of wheat.",   False),
    "a list in brackets":               ("Sort these: 3, 1",                       "[1, 3]",                         False),
    "a parse tree":                     ("Parse: she left",                        "[S[NP[she]][VP[left]]]",         False),
    "an announcement":                  ("Name a primate.",                        "Here is the answer:",            True),
    "a polite announcement":            ("Name a primate.",                        "Sure! Here is a primate:",       True),
    "announced in Chinese":             ("列出三种水果。",                            "好的，以下是三种水果：",            True),
    "announced and given":              ("Name a primate.",                        "Here is the answer: lemur",      False),
    "the result in a sentence":         ("Divide 20 by 5.",                        "The result is 4.",               False),
    "a nod":                            ("Name a primate.",                        "Sure!",                          True),
    "a nod, in Chinese":                ("列出三种水果。",                            "好的。",                          True),
    "a nod to a question":              ("Do you like pears?",                     "Of course.",                     False),
    "a nod to a favour":                ("Please remind me tomorrow.",             "Sure!",                          False),
    "a nod to a question, in Chinese":  ("你喜欢梨吗？",                             "当然。",                          False),
    "a nod that was asked for":         ("Capitalise this sentence.\n\nof course", "Of course.",                     False),
    "a label":                          ("评价这篇博文，输出“好的”或“坏”。",          "好的。",                          False),
    "dots":                             ("Name a primate.",                        "...",                            True),
    "many dots":                        (DRAW,                                     ". . . . . . . . . . .",          True),
    "many Chinese dots":                ("列出三种水果。",                            "……………………………………",                    True),
    "a rule of dashes":                 (DRAW,                                     "-----------",                    False),
    "a receipt":                        ("列出三种水果。",                            "收到。",                          True),
    "a receipt, in English":            ("Name a primate.",                        "Understood.",                    True),
    "a receipt that was asked for":     ("Remember that I am Ann.",                "Understood.",                    False),
    "Chinese dots":                     ("列出三种水果。",                            "……",                             True),
    "dots asked for":                   ("Which punctuation is an ellipsis?",      "...",                            False),
    "not applicable":                   ("Name a primate.",                        "N/A",                            True),
    "provided for":                     ("Name the author, or N/A.",               "N/A",                            False),
    "none":                             ("Which of them fly?",                     "None",                           False),
    "yes":                              ("Is it true?",                            "Yes",                            False),
    "no":                               ("Is it true?",                            "No.",                            False),
    "a digit":                          ("2 + 2",                                  "4",                              False),
    "a truth value":                    ("1 < 2",                                  "True",                           False),
    "yes, in Chinese":                  ("地球是圆的吗？",                            "是的。",                          False),
    "an emoji":                         ("Pick an emoji.",                         "😆",                             False),
    "empty":                            ("Name a primate.",                        "",                               False),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "hollow"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_without_content_says_that_there_is_one_or_none(prompt, response, hollow):
    rules = only_quality(no_content=NoContent())
    verdict = judge(records((prompt, response)), rules).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.NO_CONTENT if hollow else None]


@pytest.mark.parametrize(("max_chars", "falls"), [(10, False), (11, True)])
def test_longer_responses_are_no_empty_announcements(max_chars, falls):
    rules = only_quality(no_content=NoContent(max_chars=max_chars))
    verdict = judge(records((DRAW, "<no output>")), rules).collect()
    assert verdict["found"].to_list() == ["<no output>" if falls else None]


# fmt: off
GAPS = {  #                        prompt                              response                                  found
    "a company's name":            ("Name a good bakery.",              "Try [Company Name] in your street.",     "[Company Name]"),
    "in Chinese":                  ("推荐一家面包店。",                    "试试[公司名称]吧。",                       "[公司名称]"),
    "two gaps":                    ("Who are you?",                     "I am [Your Name] of <your city>.",       "[Your Name], <your city>"),
    "to be done":                  ("Name a good bakery.",              "TODO",                                   "TODO"),
    "filler text":                 ("Explain gravity.",                 "Lorem ipsum dolor sit amet.",            "Lorem ipsum"),
    "a letter":                    ("Write a letter to my boss.",       "Dear boss, ... [Your Name]",             None),
    "a letter, in Chinese":        ("给经理写一封信。",                    "尊敬的经理：……[您的名字]",                  None),
    "a template":                  ("Give me a template of an invoice", "[Company Name] ... [Date]",              None),
    "gaps given":                  ("Shorten: I am [Your Name]",        "[Your Name]",                            None),
    "an index in code":            ("Take the first one.",              "return rows[name]",                      None),
    "a citation":                  ("Explain gravity.",                 "Masses attract each other [1].",         None),
    "what somebody may say":       ("Name a way to begin a talk.",      'You could say: "Hi, I am [Your Name]."', None),
    "a chromosome":                ("Which karyotype is it?",           "47,XXX or 45,X.",                        None),
    "filler text asked about":     ("Is lorem ipsum Latin?",            "Lorem ipsum is scrambled Latin.",        None),
    "a slogan":                    ("Create a tagline for a shop.",     "Save smartly at [Company Name]!",        None),
    "a list":                      ("Sort the words.",                  "[apple, pear]",                          None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "found"), GAPS.values(), ids=GAPS)
def test_gaps_nobody_asked_for_are_unfinished(prompt, response, found):
    rules = only_quality(unfinished_template=UnfinishedTemplate(enabled=True))
    verdict = judge(records((prompt, response)), rules).collect()
    assert verdict["found"].to_list() == [found]


@pytest.mark.parametrize(("max_gaps", "falls"), [(1, True), (2, False)])
def test_as_many_gaps_as_the_recipe_allows_may_stay(max_gaps, falls):
    rules = only_quality(unfinished_template=UnfinishedTemplate(enabled=True, max_gaps=max_gaps))
    verdict = judge(records(("Who are you?", "[Your Name], [Company Name]")), rules).collect()
    assert (verdict["drop_reason"].to_list() == [DropReason.UNFINISHED_TEMPLATE]) == falls


QUESTION = "What makes the leaves of trees green?"

# fmt: off
AGAIN = {  #                       prompt                                response                                             again
    "question and answer":         (QUESTION,                            f"{QUESTION} Chlorophyll does.",                      True),
    "case and space aside":        (QUESTION,                            "what MAKES the  leaves of trees green: chlorophyll", True),
    "in Chinese":                  ("树叶为什么在夏天是绿色的而秋天是黄色的呢？", "树叶为什么在夏天是绿色的而秋天是黄色的呢？因为叶绿素。",  True),
    "the question alone":          (QUESTION,                            QUESTION,                                             False),
    "a part of it":                (QUESTION,                            "What makes the leaves of trees so green is light.",  False),
    "a whole sentence":            ("Scratch 3.0中画笔大小的默认上限是多少？",    "Scratch 3.0中画笔大小的默认上限是1200。",                False),
    "a short question":            ("Who are you?",                      "Who are you? I am a cook.",                          False),
    "a text to go on with":        ("Continue: it was a dark night",     "Continue: it was a dark night, and it rained.",      False),
    "no question":                 ("",                                  "It was a dark and stormy night.",                    False),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "again"), AGAIN.values(), ids=AGAIN)
def test_a_response_that_starts_with_the_question_repeats_it(prompt, response, again):
    rules = only_quality(prompt_repeated=PromptRepeated(enabled=True))
    verdict = judge(records((prompt, response)), rules).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.PROMPT_REPEATED if again else None]


@pytest.mark.parametrize(("max_share", "falls"), [(0.79, True), (0.8, False)])
def test_as_much_of_the_question_as_the_recipe_allows_may_be_said_again(max_share, falls):
    question, answer = (
        "abcdefghijklmnopqrstuvwxyz0123",
        "abcdefghijklmnopqrstuvwx and then more words",
    )
    rules = only_quality(prompt_repeated=PromptRepeated(enabled=True, max_share=max_share))
    verdict = judge(records((question, answer)), rules).collect()
    assert (verdict["drop_reason"].to_list() == [DropReason.PROMPT_REPEATED]) == falls


# fmt: off
RATIOS = {  #        prompt       response    found
    "at the least": ("abcdefgh", "abcd",     None),
    "below":        ("abcdefgh", "abc",      "3 characters by 8"),
    "at the most":  ("abcd",     "ab" * 4,   None),
    "above":        ("abcd",     "abc" * 3,  "9 characters by 4"),
    "characters":   ("一二三四",   "ab" * 4,   None),
    "no prompt":    ("",         "abc",      None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "found"), RATIOS.values(), ids=RATIOS)
def test_the_ratio_of_lengths_has_bounds_on_both_sides(prompt, response, found):
    rules = only_quality(length_ratio=LengthRatio(enabled=True, min_ratio=0.5, max_ratio=2))
    verdict = judge(records((prompt, response)), rules).collect()
    assert verdict["found"].to_list() == [found]


def test_bounds_that_no_row_fits_are_refused():
    with pytest.raises(ValidationError, match=r"min_ratio is 3\.0, max_ratio is 2\.0: no row fits"):
        LengthRatio(min_ratio=3, max_ratio=2)
