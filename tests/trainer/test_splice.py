"""Templates that only copy what is said are told from those that look into it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.train import Supervise
from tests.trainer.building import CHATML, build_tokenizer
from trainer.splice import only_copies
from trainer.templates import NAMED, choose_template

LOOP = "{% for message in messages %}<%s>{% endfor %}"
# fmt: off
COPIES = {
    **NAMED,
    "chatml":                CHATML,
    "joined":                LOOP.replace("%s", "{{ 'a' + message['content'] + 'b' }}"),
    "concatenated":          LOOP.replace("%s", "{{ 'a' ~ message.content }}"),
    "if there is any":       LOOP.replace("%s", "{% if message.content %}{{ message.content }}{% endif %}"),
    "the first by number":   "{{ messages[0]['content'] }}{% for m in messages[1:] %}{{ m.content }}{% endfor %}",
    "by role":               LOOP.replace("%s", "{% if message.role == 'user' %}{{ message.content }}{% endif %}"),
    "counted":               "{{ messages | length }}" + LOOP.replace("%s", "{{ message.content }}"),
    "inside a scope":        LOOP.replace("%s", "{% with %}{{ message.content }}{% endwith %}"),
    "tools looked into":     "{% for tool in tools %}{{ tool | tojson }}{% endfor %}",
    "the loop's own number": LOOP.replace("%s", "{% if loop.first %}a{% endif %}{{ message.content }}"),
}
LOOKS = {
    "trimmed":               LOOP.replace("%s", "{{ message.content | trim }}"),
    "stripped":              LOOP.replace("%s", "{{ message['content'].strip() }}"),
    "searched":              LOOP.replace("%s", "{% if '</think>' in message.content %}a{% endif %}"),
    "compared":              LOOP.replace("%s", "{% if message.content == 'a' %}a{% endif %}"),
    "asked for its type":    LOOP.replace("%s", "{% if message.content is string %}a{% endif %}"),
    "cut":                   LOOP.replace("%s", "{{ message.content[:5] }}"),
    "kept in a variable":    LOOP.replace("%s", "{% set text = message.content %}{{ text }}"),
    "the list in a variable": "{% set rest = messages[1:] %}{% for m in rest %}{{ m.content | trim }}{% endfor %}",
    "a message in a variable": "{% set last = messages[-1] %}{{ last.content | trim }}",
    "a whole message":       LOOP.replace("%s", "{{ message | tojson }}"),
    "printed whole":         LOOP.replace("%s", "{{ message }}"),
    "all messages":          "{{ messages | tojson }}",
    "a field by a variable": LOOP.replace("%s", "{{ message[key] }}"),
    "by a method":           LOOP.replace("%s", "{{ message.get('content') | trim }}"),
    "item by item":          LOOP.replace("%s", "{% for k in message.items() %}{{ k[1] | trim }}{% endfor %}"),
    "field by field":        LOOP.replace("%s", "{% for k in message %}{{ message[k] | trim }}{% endfor %}"),
    "a neighbour":           LOOP.replace("%s", "{{ loop.previtem.content | trim }}"),
    "a macro's argument":    "{% macro f(x) %}{{ x | trim }}{% endmacro %}" + LOOP.replace("%s", "{{ f(message.content) }}"),
    "inside a filter block": LOOP.replace("%s", "{% filter trim %}{{ message.content }}{% endfilter %}"),
    "captured by a block":   LOOP.replace("%s", "{% set c %}{{ message.content }}{% endset %}{{ c | trim }}"),
    "handed to a caller":    "{% macro f() %}{{ caller() | trim }}{% endmacro %}" + LOOP.replace("%s", "{% call f() %}{{ message.content }}{% endcall %}"),
    "written by a macro":    "{% macro f() %}{{ messages[0].content }}{% endmacro %}{{ f() | trim }}",
    "written by a block":    "{% block b %}{{ messages[0].content }}{% endblock %}{{ self.b() | trim }}",
    "escaped":               LOOP.replace("%s", "{% autoescape true %}{{ message.content }}{% endautoescape %}"),
    "multiplied":            LOOP.replace("%s", "{{ message.content * 2 }}"),
    "no Jinja at all":       "{% for %}",
}
# fmt: on


@pytest.mark.parametrize("source", COPIES.values(), ids=COPIES.keys())
def test_a_template_that_only_copies_is_known_as_such(source):
    assert only_copies(source)


@pytest.mark.parametrize("source", LOOKS.values(), ids=LOOKS.keys())
def test_a_template_that_may_look_into_what_is_said_is_rendered(source):
    assert not only_copies(source)


CONVERSATIONS = st.lists(st.text(max_size=12), min_size=2, max_size=7).flatmap(
    lambda texts: st.tuples(st.booleans(), st.just(texts))
)


@pytest.mark.parametrize("name", [None, *sorted(NAMED)])
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(conversation=CONVERSATIONS, every=st.booleans())
def test_joining_texts_gives_what_rendering_gives(name, conversation, every):
    has_system, texts = conversation
    roles = [("user", "assistant")[place % 2] for place in range(len(texts))]
    messages = [{"role": r, "content": text} for r, text in zip(roles, texts, strict=True)]
    messages = messages[: len(messages) - len(messages) % 2]
    if has_system:
        messages.insert(0, {"role": "system", "content": "Be kind."})
    template = choose_template(build_tokenizer(), name, "test")
    supervise = Supervise.ALL if every else Supervise.LAST
    spliced = template.segments(messages, supervise)
    turns = [place for place, one in enumerate(messages) if one["role"] == "assistant"]
    turns = turns if every else turns[-1:]
    rendered = template.rendered(messages[: turns[-1] + 1], turns, None)
    assert spliced[0::2] == rendered
    assert spliced[1::2] == [messages[turn]["content"] for turn in turns]
