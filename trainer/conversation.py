"""A conversation with an assistant: what was said so far, as much of it as the model can hold."""

from dataclasses import dataclass, field

from schemas.answers import Decoding, Finish
from trainer.generation import Answer, Assistant, OnText
from trainer.templates import Message


@dataclass
class Conversation:
    """Questions and answers in turn, after a system message.

    Of one that is too long for the model's context window the oldest exchanges are left out; the
    system message stays.
    """

    assistant: Assistant
    decoding: Decoding = Decoding(temperature=0.7, top_p=0.9)  # noqa: RUF009 - it is frozen
    system: str | None = None
    """None means the assistant's own, an empty one none at all"""
    turns: list[Message] = field(default_factory=list)
    """what the user and the assistant said in turn, the assistant last"""
    left_out: int = 0
    """how many of the oldest turns the model no longer sees"""

    def reply(self, question: str, on_text: OnText | None = None) -> Answer:
        """The assistant's answer, kept for the next turn; `on_text` gets it piece by piece.

        Ctrl-C, or a StopAnswering that `on_text` raises, ends it where it is; what was said until
        then is kept.

        Raises:
            ConfigError: the question alone is too long, or the template does not write it. It is
                not kept.
            TrainingError: memory ran out, or the model gives no numbers.
        """
        asked: Message = {"role": "user", "content": question}
        answer = self.assistant.answer_prompt(
            self._prompt_ids(asked), self.decoding, on_text, draw=len(self.turns)
        )
        if answer.text or answer.finish is not Finish.INTERRUPTED:
            self.turns += [asked, {"role": "assistant", "content": answer.text}]
        return answer

    def reset(self) -> None:
        """Forget what was said; the system message stays."""
        self.turns.clear()
        self.left_out = 0

    def instruct(self, system: str | None) -> None:
        """Set the system message, None for the assistant's own, and begin anew."""
        self.system = system
        self.reset()

    def _prompt_ids(self, asked: Message) -> list[int]:
        """The conversation and a question in tokens, with as many exchanges as there is room for.

        Raises:
            ConfigError: there is no room for the question.
        """
        left_out = self.left_out
        while True:
            messages = [*self.turns[left_out:], asked]
            prompt = self.assistant.prompt_ids(messages, self.system)
            if left_out >= len(self.turns):
                self.assistant.refuse_too_long(prompt, self.decoding)
            if not self.assistant.excess_tokens(prompt, self.decoding):
                self.left_out = left_out
                return prompt
            left_out += 2
