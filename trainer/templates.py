"""How a conversation is written for a model: its own chat template, or a named one of ours.

Training and chat call the same `Template.segments` and `Template.prompt`, so what a model is asked
in use is, character for character, what it was trained on.
"""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from schemas.digests import digest_of
from schemas.errors import ConfigError
from schemas.train import Supervise
from trainer.splice import only_copies

Message = dict[str, str]

MODEL = "model"
"""The name of a template that is the model's own."""

_MARK = "\ue000winnow{}\ue001"
"""Stands in for an assistant's words while a template is rendered: private-use code points, which
templates neither trim nor escape."""

_TURNS = """\
{{ first_token }}{% for message in messages %}\
{% if message.role == 'system' %}@system@\
{% elif message.role == 'assistant' %}@assistant@\
{% else %}@user@{% endif %}{% endfor %}"""


def _turns(system: str, user: str, assistant: str) -> str:
    """A template that writes each turn on its own, by role."""
    source = _TURNS
    for role, text in (("system", system), ("user", user), ("assistant", assistant)):
        source = source.replace(f"@{role}@", text)
    return source


_TEXT = "{{ message.content }}"
_END = "{{ eos_token }}"

NAMED = {
    "plain": _turns(
        system=f"{_TEXT}\n\n",
        user=f"Question:\n{_TEXT}\n\n",
        assistant=f"Answer:\n{_TEXT}{_END}\n\n",
    ),
    "alpaca": _turns(
        system=f"{_TEXT}\n\n",
        user=f"### Instruction:\n{_TEXT}\n\n",
        assistant=f"### Response:\n{_TEXT}{_END}\n\n",
    ),
    "hugchat": _turns(
        system=f"{_TEXT}\n",
        user=f"Human:\n{_TEXT}\n",
        assistant=f"HugChat:\n{_TEXT}{_END}\n",
    ),
    "vicuna": _turns(
        system=f"{_TEXT}\n\n",
        user=f"USER:\n{_TEXT}\n",
        assistant=f"ASSISTANT:\n{_TEXT}{_END}\n",
    ),
    "instruct": (
        "{{ first_token }}{% for message in messages %}"
        "{% if message.role == 'assistant' %}"
        "{{ '###Response:\n' + message.content + eos_token + '\n\n' }}"
        "{% elif message.role == 'user' and messages[0].role == 'system' %}"
        "{{ '###Input:\n' + message.content + '\n\n' }}"
        "{% else %}{{ '###Instruction:\n' + message.content + '\n\n' }}{% endif %}{% endfor %}"
    ),
    "chatml": (
        "{{ first_token }}{% for message in messages %}"
        "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
        "{% endfor %}"
    ),
}
"""Templates by name, as Jinja. In `instruct` the system message, where there is one, is the
instruction and what the user says its input.

None ends its prompt in a space: in running text a tokenizer joins that space to the word that
follows, so a model would have to begin with a word it has never seen there."""


class Unrenderable(ValueError):
    """A template will not write this conversation, or not with the response in one piece."""


@dataclass(frozen=True)
class Template:
    """A chat template with what must be known of it to place labels.

    `stop_id` is the token that ends a response; `tail` is the text, mostly none, that the template
    writes between the response and that token. `lead` is the space, mostly none, that it writes
    before the response: tokenizers join it to the first word, so it counts as part of what the
    model says and not of the prompt.
    """

    name: str
    source: str
    tokenizer: PreTrainedTokenizerBase = field(repr=False)
    first_token: str
    stop_id: int
    tail: str
    lead: str

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything that decides how a conversation reads."""
        return digest_of([self.source, self.first_token, self.stop_id, self.tail, self.lead])

    @cached_property
    def stop(self) -> str:
        """The stop token as text."""
        return str(self.tokenizer.convert_ids_to_tokens(self.stop_id))

    def tokenizer_that_speaks(self) -> PreTrainedTokenizerBase:
        """A copy of the tokenizer whose own chat template writes what this one writes.

        With it others, who know nothing of `Template`, ask a model what it was trained on.
        """
        speaker = copy.deepcopy(self.tokenizer)
        if self.name != MODEL:
            speaker.chat_template = self._on_its_own()
        return speaker

    def _on_its_own(self) -> str:
        """The source without `first_token`, and with a prompt for the assistant's next words."""
        question = [{"role": "user", "content": "a"}]
        opened = self.prompt(question).removeprefix(_render(self, question, None))
        return (
            f"{{% set first_token = {json.dumps(self.first_token)} %}}{self.source}"
            f"{{% if add_generation_prompt %}}{{{{ {json.dumps(opened)} }}}}{{% endif %}}"
        )

    def prompt(self, messages: Sequence[Message], tools: list[Any] | None = None) -> str:
        """All that stands before the assistant's next words and their lead.

        Raises:
            Unrenderable: the template refuses the conversation.
        """
        return _render_marked(self, [*messages, _marked(0)], tools, marks=1)[0]

    def segments(
        self, messages: Sequence[Message], supervise: Supervise, tools: list[Any] | None = None
    ) -> list[str]:
        """The conversation cut at its supervised turns: text, response, text, response, ...

        Even places are the template's and the user's, odd places are what an assistant said,
        exactly as in the corpus. What follows the last response is left out; where `stop` ends an
        earlier one, the text after it begins with `tail` and `stop`.

        Raises:
            Unrenderable: the template refuses the conversation, or drops or repeats a response.
        """
        roles = tuple([one["role"] for one in messages])
        turns = _supervised(roles, supervise)
        if not turns:
            raise Unrenderable("it has no assistant turn")
        written = messages[: turns[-1] + 1]
        between = self._between(written, roles[: turns[-1] + 1], turns, tools)
        segments = [""] * (2 * len(turns))
        segments[0::2] = between
        segments[1::2] = [messages[turn]["content"] for turn in turns]
        return segments

    def _between(
        self,
        messages: Sequence[Message],
        roles: tuple[str, ...],
        turns: list[int],
        tools: list[Any] | None,
    ) -> list[str]:
        """The text before each turn, from the end of the turn before it."""
        if tools is None and self._only_copies and all(one["content"] for one in messages):
            around = self._around(roles, messages, turns)
            if around is not None:
                return self._spliced(around, messages, turns)
        return self.rendered(messages, turns, tools)

    def rendered(
        self, messages: Sequence[Message], turns: list[int], tools: list[Any] | None
    ) -> list[str]:
        """The text before each turn, from the end of the turn before it, by Jinja."""
        marked = list(messages)
        for mark, turn in enumerate(turns):
            marked[turn] = _marked(mark)
        return _render_marked(self, marked, tools, marks=len(turns))

    @cached_property
    def _only_copies(self) -> bool:
        return only_copies(self.source)

    @cached_property
    def _known(self) -> dict[tuple[str, ...], list[str] | None]:
        """By the roles of a conversation: the texts before each of its messages, or None."""
        return {}

    def _around(
        self, roles: tuple[str, ...], messages: Sequence[Message], turns: list[int]
    ) -> list[str] | None:
        """The texts before each message; None where splicing would not do what rendering does."""
        if roles not in self._known:
            self._known[roles] = self._proven(roles, messages, turns)
        return self._known[roles]

    def _proven(
        self, roles: tuple[str, ...], messages: Sequence[Message], turns: list[int]
    ) -> list[str] | None:
        marks = [{"role": role, "content": _MARK.format(at)} for at, role in enumerate(roles)]
        try:
            around = _cut_at_marks(_render(self, marks, None), len(roles))
        except Unrenderable:
            return None
        if around is None:
            return None
        same = self._spliced(around, messages, turns) == self.rendered(messages, turns, None)
        return around if same else None

    def _spliced(
        self, around: list[str], messages: Sequence[Message], turns: list[int]
    ) -> list[str]:
        texts = []
        begin = 0
        for turn in turns:
            said = [around[place] + messages[place]["content"] for place in range(begin, turn)]
            texts.append(("".join(said) + around[turn]).removesuffix(self.lead))
            begin = turn + 1
        return texts


@lru_cache(maxsize=10_000)
def _supervised(roles: tuple[str, ...], supervise: Supervise) -> list[int]:
    """The places of the turns inside the loss."""
    turns = [place for place, role in enumerate(roles) if role == "assistant"]
    return turns if supervise is Supervise.ALL else turns[-1:]


def choose_template(
    tokenizer: PreTrainedTokenizerBase, name: str | None, base_model: str
) -> Template:
    """The named template, or the model's own where `name` is None.

    Raises:
        ConfigError: no template of that name; the model has none of its own; or it has no token to
            end a response with.
    """
    known = ", ".join(sorted(NAMED))
    if name is None:
        own = tokenizer.chat_template
        if isinstance(own, dict):
            own = own.get("default")
        if not own:
            raise ConfigError(
                f"base model {base_model} has no chat template of its own. "
                f"Set train.template in the recipe to one of: {known}."
            )
        return _probed(MODEL, str(own), tokenizer, first_token="")
    if name not in NAMED:
        raise ConfigError(f"train.template: no template is called {name!r}; known: {known}")
    return _probed(name, NAMED[name], tokenizer, first_token=token_put_first(tokenizer))


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """The tokenizer's control tokens by text: those that no ordinary text should turn into."""
    added = {
        token.content: index
        for index, token in tokenizer.added_tokens_decoder.items()
        if token.special and token.content
    }
    named = {
        str(tokenizer.bos_token): tokenizer.bos_token_id,
        str(tokenizer.eos_token): tokenizer.eos_token_id,
    }
    return added | {text: int(index) for text, index in named.items() if index is not None}


def token_put_first(tokenizer: PreTrainedTokenizerBase) -> str:
    """The begin token as text, if this tokenizer puts one before a text of its own accord."""
    if tokenizer.bos_token_id is None:
        return ""
    ids = tokenizer("x")["input_ids"]
    return str(tokenizer.bos_token) if ids[0] == tokenizer.bos_token_id else ""


def _probed(
    name: str, source: str, tokenizer: PreTrainedTokenizerBase, first_token: str
) -> Template:
    """A template whose end of a response was found by rendering a small conversation."""
    blank = Template(name, source, tokenizer, first_token, stop_id=0, tail="", lead="")
    question = {"role": "user", "content": "a"}
    try:
        prompt = _render_marked(blank, [question, _marked(0)], None, marks=1)[0]
        rendered = _render(blank, [question, _marked(0)], None)
    except Unrenderable as error:
        raise ConfigError(
            f"chat template {name!r} cannot write a question and its answer: {error}. "
            f"Set train.template to one of: {', '.join(sorted(NAMED))}."
        ) from None
    lead = prompt[len(prompt.rstrip(" ")) :]
    ending = rendered.partition(_MARK.format(0))[2]
    specials = special_tokens(tokenizer)
    pattern = "|".join(re.escape(text) for text in sorted(specials, key=len, reverse=True))
    found = re.search(pattern, ending) if pattern else None
    if found:
        tail = ending[: found.start()]
        return Template(name, source, tokenizer, first_token, specials[found.group()], tail, lead)
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            f"chat template {name!r} does not end a response with a special token and the "
            "tokenizer has no end token, so a trained model could never stop. Choose a base model "
            "with an eos_token, or another train.template."
        )
    return Template(name, source, tokenizer, first_token, int(tokenizer.eos_token_id), "", lead)


def _marked(index: int) -> Message:
    return {"role": "assistant", "content": _MARK.format(index)}


def _render(template: Template, messages: list[Message], tools: list[Any] | None) -> str:
    try:
        return str(
            template.tokenizer.apply_chat_template(
                messages,
                tools=tools,
                chat_template=template.source,
                tokenize=False,
                first_token=template.first_token,
            )
        )
    except (TemplateError, TypeError, KeyError, ValueError) as error:
        raise Unrenderable(str(error) or type(error).__name__) from None


def _cut_at_marks(rendered: str, count: int) -> list[str] | None:
    """The text before each of the first `count` marks; None unless each is there once, in order."""
    texts = []
    for index in range(count):
        before, mark, rendered = rendered.partition(_MARK.format(index))
        if not mark:
            return None
        texts.append(before)
    again = any(
        _MARK.format(index) in text for text in [*texts, rendered] for index in range(count)
    )
    return None if again else texts


def _render_marked(
    template: Template, messages: list[Message], tools: list[Any] | None, marks: int
) -> list[str]:
    """The text before each mark, less the lead; the text after the last is left out."""
    rest = _render(template, messages, tools)
    before = []
    for index in range(marks):
        mark = _MARK.format(index)
        if rest.count(mark) != 1:
            raise Unrenderable(f"it writes the assistant's turn {rest.count(mark)} times, not once")
        head, _, rest = rest.partition(mark)
        before.append(head.removesuffix(template.lead))
    return before
