import pytest

from schemas.quality import BrokenFence, Symbols
from tasks.filter.judge import judge
from tests.filter.rows import only_quality, records

# fmt: off
FENCES = {  #                      response                                                    unmatched, of
    "opened and closed":           ("```python\nx = 1\n```",                                   None),
    "two blocks":                  ("```\na\n```\nand\n```js\nb\n```",                          None),
    "never closed":                ("Here:\n```python\nx = 1",                                 (1, 1)),
    "never closed, in Chinese":    ("如下：\n```python\nx = 1",                                 (1, 1)),
    "closed first":                ("x = 1\n```\nand\n```python\ny = 2\n```",                  (1, 3)),
    "opened twice":                ("```python\nx = 1\n```python\ny = 2\n```",                 (1, 3)),
    "opened and opened":           ("```python\nx = 1\n```js\ny = 2",                          (2, 2)),
    "indented in a list":          ("1. Do:\n   ```sh\n   ls\n   ```",                         None),
    "a span on one line":          ("Use ```ls``` to list files",                              None),
    "no fence":                    ("Use `ls` to list files",                                  None),
}
# fmt: on


@pytest.mark.parametrize(("response", "unmatched"), FENCES.values(), ids=FENCES)
def test_every_fence_has_a_partner(response, unmatched):
    verdict = judge(
        records(("Show me", response)), only_quality(broken_fence=BrokenFence(enabled=True))
    ).collect()
    found = "{} of {} fences without a partner".format(*unmatched) if unmatched else None
    assert verdict["found"].to_list() == [found]


@pytest.mark.parametrize(("max_unmatched", "falls"), [(0, True), (1, False)])
def test_a_recipe_may_tolerate_an_open_fence(max_unmatched, falls):
    rules = only_quality(broken_fence=BrokenFence(enabled=True, max_unmatched=max_unmatched))
    verdict = judge(records(("Show me", "```\nx")), rules).collect()
    assert verdict["drop_reason"].is_not_null().to_list() == [falls]


# fmt: off
SIGNS = {  #                     prompt                    response                       found
    "more than letters":         ("How are you?",           "fine" + "😀" * 5,             "5 symbols, 4 letters"),
    "as many as letters":        ("How are you?",           "great" + "😀" * 5,            None),
    "fewer than measured":       ("How are you?",           "ok" + "😀" * 4,               None),
    "in Chinese":                ("你好吗？",                "很好" + "★" * 5,               "5 symbols, 2 letters"),
    "boxes":                     ("How are you?",           "█" * 5,                       "5 symbols, 0 letters"),
    "private use":               ("How are you?",           "\ue000" * 5,                  "5 symbols, 0 letters"),
    "piled accents":             ("How are you?",           "a" + "\u0326" * 8,            "5 symbols, 1 letters"),
    "emoji asked for":           ("Only emoji, please",     "😀" * 5,                      None),
    "a Sudoku asked for":        ("Make a Sudoku puzzle",   "█" * 5,                       None),
    "a drawing asked for":       ("画一个方块",               "█" * 5,                       None),
    "code":                      ("How are you?",           "a[{}] += (b) => {;;}" * 9,    None),
    "a formula":                 ("How are you?",           "∑∫√≤≥±∞≈≠∂",                  None),
    "a table":                   ("How are you?",           "|---|---|\n| a | b |",        None),
    "Thai":                      ("How are you?",           "น้ำผึ้งที่นี่ก็ดี",                 None),
    "Hindi":                     ("How are you?",           "मैं ठीक हूँ, धन्यवाद",            None),
    "nothing":                   ("How are you?",           "",                            None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "found"), SIGNS.values(), ids=SIGNS)
def test_symbols_are_counted_against_letters(prompt, response, found):
    rules = only_quality(symbols=Symbols(enabled=True, min_symbols=5, max_per_letter=1))
    verdict = judge(records((prompt, response)), rules).collect()
    assert verdict["found"].to_list() == [found]
