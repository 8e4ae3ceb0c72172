import pytest

from schemas.quality import MissingAttachment, UnopenedUrl
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only_quality, records

PAGE = "https://news.example.org/2020/05/rain.html"
TEXT = "It has rained for six days in the valley, and the river has risen by a metre. " * 3

# fmt: off
PAGES = {  #                      prompt                                       response                                   falls
    "an article":                 (f"Summarize this article.\n\n{PAGE}",        "The article is about rain.",              True),
    "the same in Chinese":        (f"总结这篇文章：\n{PAGE}",                     "文章讲的是下雨。",                          True),
    "a page of a website":        ("Review the page.\n\nwww.example.com/a/b",    "It is clean and easy to use.",            True),
    "a website that is known":    ("Review the website.\n\nwww.example.com",    "It is clean and easy to use.",            False),
    "an encyclopaedia":           ("Summarise https://en.wikipedia.org/wiki/Rain", "Rain is water that falls.",             False),
    "a picture in words":         (f"Describe the photo of a girl. {PAGE}",       "A girl in a meadow.",                     False),
    "a sound, named":             ("Listen: https://a.example/piano-note.wav",   "It is a piano.",                          False),
    "a song":                     (f"Listen to this song: {PAGE}",              "It is a waltz.",                          True),
    "with its text":              (f"Summarize this article.\n{PAGE}\n{TEXT}",  "The river rises.",                        False),
    "no address":                 ("Summarize this article.",                   "The article is about rain.",              False),
    "cannot open it":             (f"Summarize this article.\n\n{PAGE}",        "I cannot open links.",                    False),
    "cannot open it, in Chinese": (f"总结这篇文章：\n{PAGE}",                     "抱歉，我无法打开链接。",                    False),
    "an address as such":         (f"Extract the domain of the article {PAGE}",   "news.example.org",                        False),
    "a program":                  (f"Read this page in Python: {PAGE}",         "import requests\nrequests.get(url)",      False),
    "a link to be made":          (f"Write HTML that links to {PAGE}",          f'<a href="{PAGE}">Rain</a>',              False),
    "an address in passing":      (f"I work at {PAGE}. What is rain?",          "Water that falls.",                       False),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "falls"), PAGES.values(), ids=PAGES)
def test_nobody_opened_the_page(prompt, response, falls):
    verdict = judge(
        records((prompt, response)), only_quality(unopened_url=UnopenedUrl(enabled=True))
    ).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.UNOPENED_URL if falls else None]


@pytest.mark.parametrize(("max_given_chars", "falls"), [(24, False), (25, True)])
def test_a_longer_question_holds_the_text_of_the_page(max_given_chars, falls):
    rules = only_quality(unopened_url=UnopenedUrl(enabled=True, max_given_chars=max_given_chars))
    verdict = judge(records((f"Summarize this article:\n\n{PAGE}", "Rain.")), rules).collect()
    assert verdict["found"].to_list() == [PAGE if falls else None]


# fmt: off
PICTURES = {  #                    prompt                                         response                     found
    "an empty place":              ("Describe this painting.\n\n<image>",           "A meadow at dawn.",         "<image>"),
    "to be put in":                ("What is it?\n[Insert photo here]",             "A fox.",                    "[Insert photo here]"),
    "a file's name":               ("Which flag is this?\n[flag.jpg]",              "Portugal's.",               "[flag.jpg]"),
    "in Chinese":                  ("描述这张照片。\n[图片]",                          "一片草地。",                 "[图片]"),
    "in Markdown":                 ("Name it.\n![alt](https://a.example/x)",         "A triangle.",               "![alt]("),
    "as an address":               ("Name it.\nhttps://a.example/x.jpg",            "A triangle.",               "https://a.example/x.jpg"),
    "shown in the figure":         ("Which muscle is shown in the figure?",         "The deltoid.",              "shown in the figure"),
    "above":                       ("Who is in the picture above?",                 "A farmer.",                 "in the picture above"),
    "attached":                    ("Summarise the attached document.",             "It is about rain.",         "the attached document"),
    "as the figure shows":         ("如图所示，求角度。",                               "60度。",                    "如图所示"),
    "one shape":                   ("What is the angle shown in the figure?",        "60 degrees.",               "shown in the figure"),
    "two shapes":                  ("Two triangles in a circle, shown in the figure: how large?", "60 degrees.", None),
    "two words in its name":       ("Name it.\nhttps://a.example/silver-foxes.jpg",      "An owl.",                   "https://a.example/silver-foxes.jpg"),
    "three words in its name":     ("Name it.\nhttps://a.example/woman-with-lute-playing-music.jpg", "A lady.", None),
    "a name that says it":         ("Name it.\nhttps://a.example/fox.jpg",          "A fox.",                    None),
    "a known painting":            ("Describe it.\nhttps://upload.wikimedia.org/Starry_Night.jpg", "A night sky.", None),
    "a sketch in words":           ("Describe a sketch of a hill.\n<image>",        "Steep and green.",          None),
    "described":                   ("Which bird?\n[Picture of an eagle]",           "An eagle.",                 None),
    "described in Markdown":       ("Which bird?\n![Image of an eagle](a.example)",  "An eagle.",                 None),
    "the same in Chinese":         ("写说明。\n![咖啡杯图片](a.example)",              "一杯热咖啡。",               None),
    "pictures in general":         ("How do I take a good picture?",                "Use light.",                None),
    "pictures, in Chinese":        ("条形图中包含什么类型的数据？",                      "数值。",                    None),
    "a photo as a story's matter": ("She saw a photo on the wall. Continue.",       "It was her mother.",        None),
    "nothing to be seen":          ("Describe this painting.\n\n<image>",           "I can't see an image.",     None),
    "nothing to see, in Chinese":  ("描述这张照片。\n[图片]",                          "我看不到图片。",              None),
    "markup":                      ("Write HTML for the image x.png: <img src=",    '<img src="x.png">',         None),
    "a download":                  ("Download https://a.example/x.jpg in Python",   "import requests",           None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "found"), PICTURES.values(), ids=PICTURES)
def test_there_is_no_picture_in_a_row_of_text(prompt, response, found):
    rules = only_quality(missing_attachment=MissingAttachment(enabled=True))
    verdict = judge(records((prompt, response)), rules).collect()
    assert verdict["found"].to_list() == [found]


@pytest.mark.parametrize(("max_given_chars", "falls"), [(26, False), (27, True)])
def test_a_longer_question_describes_its_picture(max_given_chars, falls):
    rules = only_quality(
        missing_attachment=MissingAttachment(enabled=True, max_given_chars=max_given_chars)
    )
    verdict = judge(records(("Name the creature.\n\n<image>", "A fox.")), rules).collect()
    assert verdict["found"].to_list() == ["<image>" if falls else None]


def test_only_the_last_question_counts():
    turns = ("Describe <image>.", "I can't see it.", "Name a primate.", "Lemur")
    rules = only_quality(missing_attachment=MissingAttachment(enabled=True))
    assert judge(records(turns), rules).collect()["drop_reason"].to_list() == [None]
