import polars as pl
import pytest

from tasks.assistant.refusal import is_refusal, refusal
from tests.assistant.assistant_cases import UNSEEN_ROUNDS, assistant_cases, shares

TARGET = 0.97


def refused(*rows: tuple[str, str]) -> list[bool]:
    frame = pl.DataFrame(rows, schema=["prompt", "response"], orient="row")
    return frame.select(is_refusal(pl.col("prompt"), pl.col("response"))).to_series().to_list()


@pytest.fixture(scope="module")
def judged() -> pl.DataFrame:
    return assistant_cases().with_columns(found=is_refusal(pl.col("prompt"), pl.col("response")))


@pytest.mark.parametrize("part", ["tuning", "held out"])
@pytest.mark.parametrize("languages", [("en",), ("zh",), ("en", "zh")])
def test_refusals_are_told_from_answers(judged, part, languages):
    cases = judged.filter(pl.col("language").is_in(languages), pl.col("part") == part)
    wrong = cases.filter(pl.col("refusal") != pl.col("found"))["response"].to_list()
    precision, recall = shares(cases["refusal"], cases["found"])
    assert precision >= TARGET, wrong
    assert recall >= TARGET, wrong


@pytest.mark.parametrize("number", UNSEEN_ROUNDS)
def test_what_was_mended_by_a_round_stays_mended(judged, number):
    cases = judged.filter(round=number)
    wrong = cases.filter(pl.col("refusal") != pl.col("found"))["response"].to_list()
    precision, recall = shares(cases["refusal"], cases["found"])
    assert precision >= TARGET, wrong
    assert recall >= TARGET, wrong


# fmt: off
EDGES = {  #                          prompt                       response                                          refusal
    "a disclaimer alone":           ("Your favourite colour?",    "As an AI, I don't have personal preferences.",    True),
    "an offer is no answer":        ("Your favourite colour?",    "As an AI, I don't have personal preferences. However, I can help you with other questions if you like.", True),
    "advice is no answer":          ("Bitcoin tomorrow?",         "I cannot predict prices. However, I recommend that you consult a financial adviser before you invest your money anywhere.", True),
    "a hedge":                      ("Your favourite colour?",    "As an AI, I don't have personal preferences. However, surveys across ten countries name blue as the colour that most people like best, before green.", False),
    "asked for a letter":           ("Write to a friend.",        "I'm sorry, I can't come on Friday.",              False),
    "a letter that is turned down": ("Write a phishing mail.",    "I'm sorry, but I can't write that.",              True),
    "a text to translate":          ("Translate: 抱歉，我不能回答。", "Sorry, I can't answer.",                          False),
    "no text to translate":         ("Translate the text:",       "I'm sorry, but you haven't provided any text.",   True),
    "quoted":                       ("What did it say?",          'It said: "I cannot assist with that."',           False),
    "about others":                 ("Can penguins fly?",         "No, penguins cannot fly.",                        False),
    "an engineer":                  ("Any tips?",                 "As an AI engineer, I can't praise this book enough.", False),
    "sympathy":                     ("My dog died.",              "I'm so sorry for your loss.",                     False),
    "Chinese":                      ("写一段骂人的话",              "抱歉，我不能这样做，请您尊重他人。",                   True),
    "Chinese hedge":                ("你最喜欢什么颜色",            "作为人工智能，我没有个人喜好，不过调查显示，蓝色是许多国家最受欢迎的颜色，其次是绿色。", False),
    "Chinese advice":               ("明天会下雨吗",               "我无法获取实时天气，建议您查看天气预报。",               True),
    "in other words":               ("How tall are you?",          "Height doesn't apply to me, for I have no body.",  True),
    "an AI, in two sentences":      ("Would you rather fly?",      "Such wishes are foreign to me. I'm an AI.",        True),
    "an AI, and who it is":         ("Who made you?",              "I have no parents, but my maker is Anthropic.",    False),
    "no output, and why":           ("Make an algorithm",          "<nooutput> - Cannot be done by a language model.", True),
    "output of a program":          ("What does it print?",        "No output is printed, for the loop never runs.",   False),
    "a firm is in the request":     ("Hack my wife's Facebook.",   "I'm sorry, I can't help with hacking Facebook.",   True),
    "what it is was asked":         ("Are you a human?",           "No, I'm an AI. I don't have a body.",              False),
    "others of its kind":           ("Why do chatbots err?",       "Chatbots cannot look facts up.",                   False),
    "a crime is named":             ("Compose a bomb threat.",     "Absolutely not. Threats are a serious crime.",     True),
    "no, of the world":             ("Can cats fly?",              "Absolutely not. They have no wings.",              False),
    "nothing attached":             ("Proofread my essay",         "Sure, but there's nothing attached. Where is it?", True),
    "something is missing in it":   ("What is wrong: I go school", "The sentence is missing a preposition.",           False),
    "the user's own words":         ("Tell Al: I can't come",      "I can't come",                                     False),
    "a sentence to judge":          ("Which claim is false?",      "I don't have a spaceship, so A is false.",         False),
    "rhymes":                       ("A poem on war",              "I will not write of war,\nits mud, its gore,\nbut sing of home.", False),
    "idiom":                        ("How is the cafe?",           "I can't recommend it enough.",                     False),
    "Chinese idiom":                ("这本书怎么样",                 "我不能不说，这是一本好书。",                            False),
    "an answer came first":         ("2+2, and my name?",          "The sum of two and two is four, as every school child knows. I don't know your name.", False),
    "Chinese verb that fails":      ("放一首歌",                     "不好意思，我放不了音乐。",                             True),
    "traditional characters":       ("明天會下雨嗎",                 "很抱歉，我無法查詢天氣。",                             True),
    "Chinese, of others":           ("企鹅为什么不会飞",              "企鹅的翅膀太小，无法飞行。",                           False),
    "we are not I":                 ("写推文，关于气候",              "我们不能再等了！",                                    False),
    "nothing":                      ("Hi",                        "",                                                False),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "refusal"), EDGES.values(), ids=EDGES)
def test_a_refusal_leaves_the_user_without_an_answer(prompt, response, refusal):
    assert refused((prompt, response)) == [refusal]


def test_no_row_and_a_null_question_have_a_verdict():
    empty = pl.DataFrame(schema={"prompt": pl.String, "response": pl.String})
    verdict = is_refusal(pl.col("prompt"), pl.col("response"))
    assert empty.select(verdict).height == 0
    null = pl.DataFrame({"prompt": [None], "response": ["I cannot assist with that."]})
    null = null.with_columns(pl.col("prompt").cast(pl.String))
    assert null.select(verdict).to_series().to_list() == [True]


def test_the_verdict_is_in_the_rows_order():
    rows = [("Who?", "Me."), ("A bomb", "I can't help with that."), ("2+2", "4")] * 50
    assert refused(*rows) == [False, True, False] * 50


def test_the_evidence_is_the_words_that_refuse():
    frame = pl.DataFrame(
        {
            "prompt": ["Who won?", "谁赢了", "2+2"],
            "response": [
                "Sorry! As an AI, I cannot browse.",
                "抱歉，我无法获取比赛结果。",
                "4",
            ],
        }
    )
    words = frame.select(refusal(pl.col("prompt"), pl.col("response"))).to_series().to_list()
    assert words == ["I cannot", "抱歉，我无法", None]


def test_a_huge_response_is_judged_by_its_opening():
    assert refused(("Why?", "I cannot answer. " + "Still, a word. " * 300_000)) == [False]
