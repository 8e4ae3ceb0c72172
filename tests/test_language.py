"""Which language a row is in: judged by its response first, told only where it can be."""

import threading
from pathlib import Path

import polars as pl
import pytest

from tasks.language import (
    by_script,
    certain_languages,
    languages,
    row_languages,
    sample,
)
from tasks.letters import letters

# fmt: off
RESPONSES = {  #            response                                                             language
    "English":             ("The river was high after a week of rain, so we stayed at home.",     "en"),
    "English, shouted":    ("PLEASE READ THE WHOLE NOTICE BEFORE YOU OPEN THE DOOR.",             "en"),
    "English, in bullets": ("- Wash the rice\n- Boil the water\n- Add a little salt\n",           "en"),
    "English with digits": ("In 1969, 2 people walked on the Moon for 21.5 hours.",               "en"),
    "English with markup": ("<p>This is the <b>second</b> paragraph of the page.</p>",            "en"),
    "French":              ("Il pleuvait depuis une semaine et la rivière était haute.",          "fr"),
    "German":              ("Wir sind heute zu Hause geblieben, weil es regnete.",                "de"),
    "Spanish":             ("Ayer llovió todo el día y nos quedamos en casa.",                    "es"),
    "Italian":             ("Ieri ha piovuto tutto il giorno e siamo rimasti a casa.",            "it"),
    "Portuguese":          ("Ontem choveu o dia inteiro e nós não saímos de casa.",               "pt"),
    "Dutch":               ("Gisteren regende het de hele dag en bleven wij thuis.",              "nl"),
    "Polish":              ("Wczoraj padało cały dzień i zostaliśmy w domu.",                     "pl"),
    "Czech":               ("Včera celý den pršelo a zůstali jsme doma.",                         "cs"),
    "Swedish":             ("Igår regnade det hela dagen och vi stannade hemma.",                 "sv"),
    "Finnish":             ("Eilen satoi koko päivän ja jäimme kotiin.",                          "fi"),
    "Hungarian":           ("Tegnap egész nap esett az eső, ezért otthon maradtunk.",             "hu"),
    "Turkish":             ("Dün bütün gün yağmur yağdı ve evde kaldık.",                         "tr"),
    "Romanian":            ("Ieri a plouat toată ziua și am rămas acasă.",                        "ro"),
    "Vietnamese":          ("Hôm qua trời mưa cả ngày nên chúng tôi ở nhà.",                      "vi"),
    "Indonesian":          ("Kemarin hujan sepanjang hari sehingga kami tinggal di rumah.",       "id"),
    "Russian":             ("Вчера весь день шёл дождь, и мы остались дома.",                     "ru"),
    "Ukrainian":           ("Учора цілий день ішов дощ, і ми залишилися вдома.",                  "uk"),
    "Greek":               ("Χθες έβρεχε όλη μέρα και μείναμε στο σπίτι.",                        "el"),
    "Hebrew":              ("אתמול ירד גשם כל היום ונשארנו בבית.",                                 "he"),
    "Arabic":              ("أمطرت السماء أمس طوال اليوم وبقينا في المنزل.",                       "ar"),
    "Hindi":               ("कल पूरे दिन बारिश हुई और हम घर पर रहे।",                                  "hi"),
    "Thai":                ("เมื่อวานฝนตกทั้งวันเราจึงอยู่บ้าน",                                            "th"),
    "Chinese":             ("昨天下了一整天的雨，我们待在家里。",                                       "zh"),
    "Chinese, Taiwan":     ("昨天下了一整天的雨，我們待在家裡。",                                       "zh"),
    "Chinese, two letters": ("北京",                                                              "zh"),
    "Chinese about code":  ("使用Python的pandas库来读取CSV文件，然后打印前五行。",                    "zh"),
    "Chinese quoting kana": ("日语里的“の”表示所属关系，相当于汉语里常用的结构助词“的”。",               "zh"),
    "Japanese":            ("昨日は一日中雨が降っていたので、家にいました。",                            "ja"),
    "Japanese, katakana":  ("コンピュータープログラム",                                              "ja"),
    "Korean":              ("어제는 하루 종일 비가 와서 집에 있었습니다.",                               "ko"),
    "English quoting Han": ("The Chinese word 你好 is used to greet somebody at any time of day.", "en"),
    "nothing":             ("",                                                                   None),
    "a number":            ("42",                                                                 None),
    "a sum":               ("3 + 4 = 7",                                                          None),
    "a long sum":          ("3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 = 63",                           None),
    "an equation":         ("x = 3, y = 4, z = 5, 12345678",                                      None),
    "a list of letters":   ("1. a) 2. b) 3. c)",                                                  None),
    "eleven letters":      ("Hello there",                                                        None),
    "one Han letter":      ("是",                                                                 None),
    "signs":               ("✓ ✗ … — %%% ###",                                                    None),
}
# fmt: on


def told(prompt: str, response: str) -> str | None:
    frame = pl.DataFrame({"prompt": [prompt], "response": [response]})
    return languages(frame.select(sample(pl.col("prompt"), pl.col("response"))).to_series()).item()


@pytest.mark.parametrize(("response", "expected"), RESPONSES.values(), ids=RESPONSES)
def test_a_text_is_told_by_its_letters(response: str, expected: str | None) -> None:
    assert told("", response) == expected


# fmt: off
LONG_ENGLISH = "Translate this sentence: it rained for the whole day, so we stayed at home and read. " * 3
LONG_GERMAN = "Es hat den ganzen Tag geregnet, deshalb sind wir zu Hause geblieben und lasen. " * 3
PAIRS = {  #                     prompt                                  response                       language
    "the answer decides":       (LONG_ENGLISH,                           LONG_GERMAN,                   "de"),
    "and not the question":     (LONG_GERMAN,                            LONG_ENGLISH,                  "en"),
    "a Chinese answer":         ("Say in Chinese that it rained.",       "昨天下了一整天的雨，我们待在家里。", "zh"),
    "a short answer asks on":   ("How many days are in a leap year?",    "366",                         "en"),
    "a label in two languages": ("这句话的情感是什么？今天天气真好，我很开心。", "positive",                    "zh"),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "expected"), PAIRS.values(), ids=PAIRS)
def test_the_response_speaks_before_the_prompt(prompt: str, response: str, expected: str) -> None:
    assert told(prompt, response) == expected


# fmt: off
SCRIPTS = {  #                     text                   language
    "one letter":                 ("京",                   None),
    "two letters":                ("北京",                 "zh"),
    "as many words as letters":   ("北京 Beijing city",    None),
    "a letter more than words":   ("北京市 Beijing city",  "zh"),
    "a tenth of it kana":         ("本日晴天気温高空気の",   "ja"),
    "less than a tenth kana":     ("本日晴天気温高空気新の", "zh"),
    "half of it Hangul":          ("漢字한글",              "ko"),
    "less than half Hangul":      ("漢字語한글",            "zh"),
    "no letter at all":           ("",                     None),
}
# fmt: on


@pytest.mark.parametrize(("text", "expected"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_decides_where_it_prevails(text: str, expected: str | None) -> None:
    assert letters(pl.Series([text]), 100).select(by_script()).item() == expected


def test_every_row_gets_its_own_answer_in_its_own_place() -> None:
    texts = [response for response, _ in RESPONSES.values()]
    frame = pl.DataFrame({"prompt": [""] * len(texts), "response": texts})
    samples = frame.select(sample(pl.col("prompt"), pl.col("response"))).to_series()
    assert languages(samples).to_list() == [expected for _, expected in RESPONSES.values()]
    assert languages(samples.reverse()).to_list() == languages(samples).to_list()[::-1]
    assert languages(samples.head(0)).to_list() == []


def test_threads_that_share_the_model_get_the_same_answers() -> None:
    texts = [response for response, _ in RESPONSES.values()] * 50
    samples = pl.Series(texts).to_frame("text").select(sample(pl.lit(""), pl.col("text")))
    alone = languages(samples.to_series())
    together: list[pl.Series] = []
    threads = [
        threading.Thread(target=lambda: together.append(languages(samples.to_series())))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(together) == 3
    assert all(answers.equals(alone) for answers in together)


def cases() -> tuple[pl.Series, list[str | None]]:
    """The labelled texts, and their languages; `-` is a text that no rule should rely on."""
    path = Path(__file__).with_name("language_cases.tsv")
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    texts = pl.Series("text", [text.replace("\\n", "\n") for _, text in lines], dtype=pl.String)
    return texts, [None if language == "-" else language for language, _ in lines]


def test_what_is_certain_is_right_in_99_of_100_labelled_texts() -> None:
    texts, expected = cases()
    told = certain_languages(texts).to_list()
    wrong = [
        pair for pair in zip(told, expected, texts, strict=True) if pair[0] not in (None, pair[1])
    ]
    assert len(texts) >= 150
    assert len(set(expected)) >= 8
    assert len(wrong) <= len(texts) // 80, wrong


def test_of_prose_in_one_language_nine_texts_in_ten_are_told() -> None:
    texts, expected = cases()
    told = certain_languages(texts).to_list()
    missed = [
        text for got, want, text in zip(told, expected, texts, strict=True) if want and not got
    ]
    assert len(missed) <= sum(map(bool, expected)) // 10, missed


# fmt: off
UNCERTAIN = {  #                  text                                                               language
    "19 letters":                ("Gestern war es kalt",                                               None),
    "more of them":              ("Gestern war es hier wirklich sehr kalt und windig",                 "de"),
    "five Han letters":          ("今天天气好",                                                         "zh"),
    "two Han letters":           ("天气",                                                               None),
    "English around code":       ("Call `free(p)` before you return from the function that owns it.", "en"),
    "an address in English":     ("Read https://example.org/warum-katzen-schnurren if you have the time to.", "en"),
    "half English, half Han":    ("the weather is nice today 今天天气很好我们出去",                       None),
    "a few English words in Han": ("我们用 Docker 和 Kubernetes 来部署这个项目的所有服务",                 "zh"),
    "names in French order":     ("Victor Hugo, Honoré Balzac, Émile Zola, Gustave Flaubert",          None),
}
# fmt: on


@pytest.mark.parametrize(("text", "expected"), UNCERTAIN.values(), ids=UNCERTAIN)
def test_a_rule_hears_of_a_language_only_where_it_is_certain(text: str, expected: str) -> None:
    assert certain_languages(pl.Series([text])).item() == expected


def test_nothing_and_null_have_no_language() -> None:
    assert certain_languages(pl.Series(["", None], dtype=pl.String)).to_list() == [None, None]
    assert certain_languages(pl.Series([], dtype=pl.String)).to_list() == []


def test_a_long_text_is_judged_by_its_start() -> None:
    text = "The river was high after a week of rain, so that we stayed at home. " * 5
    assert certain_languages(pl.Series([text + "河水很高。" * 100_000])).item() == "en"


# fmt: off
ROWS = {  #               prompt                                        response                                   prompt, response, language
    "both told":         ("What did you do when it was raining?",       "昨天下了一整天的雨，我们待在家里。",          ("en", "zh", "zh")),
    "a short answer":    ("How many days are there in a leap year?",    "366",                                     ("en", None, "en")),
    "a certain answer":  ("Translate into Spanish: He ate three apples.", "Él comió tres manzanas.",               ("en", "es", "es")),
    "names of bones":    ("Which of these muscles is it, and why?",     "C. Elevate posterior fornix",             ("en", None, "en")),
    "nothing":           ("",                                           "",                                        (None, None, None)),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "expected"), ROWS.values(), ids=ROWS)
def test_a_row_is_in_the_language_of_its_response_where_that_is_certain(
    prompt: str, response: str, expected: tuple[str | None, ...]
) -> None:
    assert row_languages(pl.Series([prompt]), pl.Series([response])).row(0) == expected


def test_rows_are_told_each_in_its_own_place() -> None:
    prompts, responses = (pl.Series([row[part] for row in ROWS.values()]) for part in (0, 1))
    expected = [row[2] for row in ROWS.values()]
    assert row_languages(prompts, responses).rows() == expected
    assert row_languages(prompts.reverse(), responses.reverse()).rows() == expected[::-1]
    assert row_languages(prompts.head(0), responses.head(0)).is_empty()
