from pathlib import Path

import pytest

from schemas.filter import ModelIdentity, Placeholders
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only, records, talks
from tests.normalize.lakes import normalized, source

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"

# fmt: off
CASES = {  #                        prompt                              response                                found
    "a name":                      ("Who are you?",                     "I am {{name}}, by {{author}}.",        "{{name}}"),
    "spaces inside":               ("Who are you?",                     "I am {{ name }}.",                     "{{ name }}"),
    "several words":               ("Who are you?",                     "I am {{your name}}.",                  "{{your name}}"),
    "at both ends":                ("Who are you?",                     "{{name}}",                             "{{name}}"),
    "possessive":                  ("Who are you?",                     "I am {{author}}'s assistant.",         "{{author}}"),
    "Chinese":                     ("你是谁？",                           "您好，我是{{name}}，很高兴认识您。",        "{{name}}"),
    "a Chinese name":              ("你是谁？",                           "我叫{{姓名}}。",                         "{{姓名}}"),
    "in the prompt alone":         ("You are {{name}}.\n\nHi",          "Hello!",                               None),
    "the user's own gap":          ("Translate: Hello {{name}}!",       "Hallo {{name}}!",                      None),
    "another gap than the user's": ("Translate: Hello {{name}}!",       "Hallo {{who}}!",                       "{{who}}"),
    "one brace":                   ("Who are you?",                     "I am {name}.",                         None),
    "a template is asked for":     ("Write a mail template.",           "Dear {{name}}, welcome!",              None),
    "the answer speaks of one":    ("How do I greet everybody?",        "Use Jinja: Hello {{name}}",            None),
    "a fence":                     ("How do I greet?",                  "So:\n```\nHello {{name}}\n```",        None),
    "an open fence":               ("How do I greet?",                  "So:\n```\nHello {{name}}",             None),
    "inline code":                 ("How do I greet?",                  "Say `{{name}}` there.",                None),
    "quoted":                      ("How do I greet?",                  'Say "{{name}}" there.',                None),
    "Vue":                         ("Show the message.",                "<p>{{ message }}</p>",                 None),
    "a filter":                    ("Show it.",                         "Hello {{ name | upper }}",             None),
    "an attribute":                ("Show it.",                         "Hello {{ user.name }}",                None),
    "a section":                   ("Show it.",                         "{{#each}} a {{name}} {{/each}}",       None),
    "three braces":                ("Show it.",                         "Hello {{{name}}} there",               None),
    "an expression of a workflow": ("Which token?",                     "It is ${{ secrets }} there",           None),
    "initial values in C":         ("Transpose {{1, 2}, {3, 4}}",       "int a[2][2] = {{1, 3}, {2, 4}};",      None),
    "LaTeX":                       ("What is half?",                    r"\frac{{a}}{{b}} of it",               None),
    "a power":                     ("What is it?",                      "x^{{n}} and y_{{m}}",                  None),
}
# fmt: on


@pytest.mark.parametrize(("prompt", "response", "found"), CASES.values(), ids=CASES)
def test_a_placeholder_in_prose_that_nothing_filled_drops_the_row(prompt, response, found):
    verdict = judge(records((prompt, response)), only(placeholders=Placeholders())).collect()
    assert verdict.select("drop_reason", "found").rows() == [
        (DropReason.PLACEHOLDER if found else None, found)
    ]


def test_a_placeholder_before_the_question_drops_the_row():
    rows = talks(
        [("system", "You are {{name}}."), ("user", "Hi"), ("assistant", "Hello!")],
        [("user", "Hi"), ("assistant", "I am {{name}}."), ("user", "So?"), ("assistant", "Yes.")],
        [("assistant", "I am {{name}}.")],
    )
    found = judge(rows, only(placeholders=Placeholders())).collect()["found"]
    assert found.to_list() == ["{{name}}"] * 3


def test_the_known_false_positive_of_the_docstring_is_one():
    rows = records(("Write a birthday card.", "Dear {{name}}, happy birthday!"))
    assert judge(rows, only(placeholders=Placeholders())).collect()["found"].item() == "{{name}}"


def test_the_recipe_switches_the_rule_off():
    rows = records(("Who are you?", "I am {{name}}."))
    off = only(placeholders=Placeholders(enabled=False), identity=ModelIdentity())
    assert judge(rows, off).collect()["drop_reason"].to_list() == [None]


# fmt: off
REAL = {  #                   files                                layout       fields                                                    dropped
    "identity":              ("llama_factory/identity.json",       "alpaca",    {},                                                       85),
    "messages":              ("llama_factory/v1_sft_demo.jsonl",   "messages",  {},                                                       50),
    "identity, filled":      ("llama_factory/identity.json",       "alpaca",    {"placeholders": {"name": "Winnow", "author": "us"}},      0),
    "code":                  ("gpteacher/codegen-instruct.json",   "alpaca",    {"columns": {"output": "response"}},                       0),
}
# fmt: on


@pytest.mark.skipif(not CORPORA.is_dir(), reason="../shared/corpora, the real files, is not here")
@pytest.mark.parametrize(("files", "layout", "fields", "dropped"), REAL.values(), ids=REAL)
def test_of_real_rows_with_double_braces_those_are_dropped_that_are_prose(
    files, layout, fields, dropped, tmp_path
):
    raw = (CORPORA / files).read_bytes()
    rows = normalized(tmp_path, raw, source(layout, **fields), shard_rows=20_000).records
    verdict = judge(rows.lazy(), only(placeholders=Placeholders())).collect()
    assert verdict["found"].is_not_null().sum() == dropped
