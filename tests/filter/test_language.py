"""Wanted languages, answers in the language of the question, sources that were to be translated."""

import polars as pl
import pytest

from schemas.language import Languages
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only, records

EN = "The river was high after a week of rain, so we stayed at home and read."
FR = "Il pleuvait depuis une semaine et la rivière était haute, nous sommes restés."
DE = "Wir sind heute zu Hause geblieben, weil es den ganzen Tag geregnet hat."
ZH = "昨天下了一整天的雨，所以我们待在家里看书。"
ASK_EN = "What did you do on the day when it was raining so heavily?"
ASK_ZH = "昨天下雨的时候，你们都做了些什么事情呢？"


def verdict(rules: Languages, prompt: str, response: str, source: str = "made") -> tuple:
    rows = records((prompt, response), source=source)
    judged = judge(rows, only(language=rules)).collect()
    return judged.select("drop_reason", "found", "expected").row(0)


PASSES = (None, None, None)
# fmt: off
ALLOWED = {  #                   prompt    response   found
    "both wanted":              (ASK_EN,   EN,        None),
    "the other wanted one":     (ASK_ZH,   ZH,        None),
    "response unwanted":        (ASK_EN,   FR,        "response in fr"),
    "prompt unwanted":          (FR,       EN,        "prompt in fr"),
    "both, the response first": (FR,       DE,        "response in de"),
    "a short answer":           (ASK_EN,   "Oui",     None),
    "nothing to be told":       ("2 + 2",  "4",       None),
    "names of bones":           (ASK_EN,   "C. Elevate posterior fornix",                           None),
    "phonetic signs":           (ASK_EN,   "ˈmæɹi hæd ə ˈlɪtl ˈlæm, ænd ɪts flis wəz waɪt",      None),
    "code":                     (ASK_EN,   "def ajouter(somme):\n    return somme + 1", None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "found"), ALLOWED.values(), ids=ALLOWED)
def test_prompt_and_response_are_in_an_allowed_language(prompt, response, found):
    reason, said, expected = verdict(Languages(allowed=("en", "zh")), prompt, response)
    assert (reason, said) == (DropReason.LANGUAGE if found else None, found)
    assert expected == ("en, zh" if found else None)


# fmt: off
UNKNOWN = {  #            prompt    response  dropped
    "neither told":      ("2 + 2",  "4",      True),
    "the prompt is":     (ASK_EN,   "4",      False),
    "the response is":   ("2 + 2",  EN,       False),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "dropped"), UNKNOWN.values(), ids=UNKNOWN)
def test_drop_unknown_takes_rows_of_which_nothing_can_be_told(prompt, response, dropped):
    reason, found, _ = verdict(Languages(allowed=("en",), drop_unknown=True), prompt, response)
    assert reason == (DropReason.LANGUAGE if dropped else None)
    assert found == ("no language that can be told" if dropped else None)


# fmt: off
MATCHES = {  #                      prompt                                             response                       found
    "the same language":           (ASK_EN,                                            EN,                            None),
    "another one":                 (ASK_EN,                                            FR,                            "response in fr"),
    "English to Chinese":          (ASK_ZH,                                            EN,                            "response in en"),
    "Chinese to English":          (ASK_EN,                                            ZH,                            "response in zh"),
    "Hindi, with vowel signs":     (ASK_EN,                                            "कल पूरे दिन तेज़ बारिश हुई थी, इसलिए मैंने किताबें पढ़ीं और शाम को मेरी बेटी के साथ चाय पी और बातें कीं थीं।", "response in hi"),
    "Thai, without spaces":        (ASK_EN,                                            "เมื่อวานฝนตกหนักทั้งวันเราจึงอยู่บ้านอ่านหนังสือและทำอาหารด้วยกันทั้งครอบครัว", "response in th"),
    "a translation":               ("Translate: " + EN,                                FR,                            None),
    "a language is named":         ("Write two sentences in French about a rainy day", FR,                            None),
    "named in Chinese":            ("请用英文写一段关于下雨的话，大约二十个字左右",            EN,                            None),
    "the input is in it":          ("Summarise what is said here, please.\n\n" + ZH,   ZH,                            None),
    "about an English text":       ("请概括下面这一段话的主要内容：\n\n" + EN,              EN,                            None),
    "names":                       (ASK_ZH,                                            "QuickBooks, Xero, FreshBooks, Sage, Wave", None),
    "a short answer":              (ASK_ZH,                                            "Rain and snow",               None),
    "a word asked for":            ("请用 opulent 这个字造一个优美的、和婚礼有关的例子好吗，谢谢你",  EN,                            None),
    "a name in the question":      ("请说说 Golding 写的那本小说主要想告诉读者什么，越详细越好",     EN,                            "response in en"),
    "a table of names":            (ASK_ZH,                                            "Person 1 | Monday | the house of Ann\nPerson 2 | Tuesday | the house of Bob", None),
    "terms of six words":          (ASK_EN,                                            "cucchiaio, forchetta: metallo\nroccia, sabbia: pietra e terra", None),
    "code":                        (ASK_ZH,                                            "SELECT name, price\nFROM items\nWHERE price > 10", None),
    "goes on in the prompt's":     (ASK_ZH,                                            EN + "\n" + ZH * 20,           None),
    "neighbours":                  ("Igår regnade det hela dagen och vi stannade hemma hos oss.", "Det regnet hele dagen i går, og vi ble hjemme.", None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "found"), MATCHES.values(), ids=MATCHES)
def test_the_answer_is_in_the_language_of_the_question(prompt, response, found):
    reason, said, _ = verdict(Languages(match_prompt=True), prompt, response)
    assert (reason, said) == (DropReason.LANGUAGE_MISMATCH if found else None, found)


# fmt: off
DECLARED = {  #                        languages       prompt            response       dropped
    "translated":                     (("zh",),        ASK_ZH,           ZH,            False),
    "left in English":                (("zh",),        ASK_EN,           EN,            True),
    "an answer of one word":          (("zh",),        ASK_EN,           "Rain",        True),
    "prompt in Chinese":              (("zh",),        ASK_ZH,           EN,            False),
    "a Chinese word in the prompt":   (("zh",),        ASK_EN + " 雨",    "Rain",        False),
    "English is declared too":        (("en", "zh"),   ASK_EN,           EN,            False),
    "nothing to be told":             (("zh",),        "2 + 2",          "4",           False),
    "no script of its own, both":     (("fr",),        ASK_EN,           EN,            True),
    "no script of its own, one":      (("fr",),        ASK_EN,           "Rain",        False),
    "neighbours":                     (("no",),        "Igår regnade det hela dagen och vi stannade hemma.", "Igår regnade det hela dagen och vi stannade hemma.", False),
}
# fmt: on


@pytest.mark.parametrize(
    ("languages", "prompt", "response", "dropped"), DECLARED.values(), ids=DECLARED
)
def test_a_row_left_in_another_language_than_its_source_s(languages, prompt, response, dropped):
    rules = Languages(untranslated=True, declared=(("made", languages),))
    reason, found, expected = verdict(rules, prompt, response)
    assert reason == (DropReason.UNTRANSLATED if dropped else None)
    assert (found, expected) == (
        ("prompt and response in en", ", ".join(languages)) if dropped else (None, None)
    )


def test_each_source_has_its_own_declared_languages():
    rules = Languages(untranslated=True, declared=(("chinese", ("zh",)), ("english", ("en",))))
    said = {source: verdict(rules, ASK_EN, EN, source)[0] for source in ("chinese", "english", "x")}
    assert said == {"chinese": DropReason.UNTRANSLATED, "english": None, "x": None}


def test_languages_are_off_until_a_recipe_asks():
    assert verdict(Languages(), ASK_EN, ZH) == PASSES
    assert not Languages().enabled


def test_declared_languages_come_from_the_sources_unless_the_recipe_says_otherwise():
    sources = {"a": ("zh",), "b": ("en",), "c": ()}
    rules = Languages(untranslated=True, declared=(("b", ("de",)),)).told_of(sources)
    assert rules.declared == (("a", ("zh",)), ("b", ("de",)))
    assert Languages().told_of(sources).declared == ()


def test_a_recipe_writes_declared_languages_as_a_mapping():
    rules = Languages.from_mapping({"declared": {"b": ["zh"], "a": ["en", "fr"]}}, "test")
    assert rules.declared == (("a", ("en", "fr")), ("b", ("zh",)))
    assert rules.model_dump(mode="json")["declared"] == {"a": ["en", "fr"], "b": ["zh"]}
    assert Languages.from_mapping(rules.model_dump(mode="json"), "test") == rules


ODD = ["", " ", "x", "\u200b\u200f", "\ud7ff", "a " * 50_000, "雨" * 50_000, "🌧" * 99, "\u202eabc"]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_pass_or_are_told_and_never_fail(text):
    rules = Languages(
        allowed=("en",), match_prompt=True, untranslated=True, declared=(("made", ("zh",)),)
    )
    rows = records((text, text), (ASK_EN, text), (text, EN))
    assert judge(rows, only(language=rules)).collect().height == 3


def test_no_rows_are_no_verdicts():
    rows = records((EN, EN)).filter(pl.lit(False))
    assert judge(rows, only(language=Languages(allowed=("en",)))).collect().is_empty()
