"""Talking to a model in the terminal."""

from rich.console import Console
from rich.text import Text

from schemas.errors import ConfigError
from schemas.printable import printable
from trainer.conversation import Conversation
from trainer.generation import Answer

HELP = (
    "/reset forgets the conversation, /system TEXT sets an instruction and /system alone takes it "
    "back; both begin anew. Ctrl-C ends an answer, /exit leaves."
)


def converse(talk: Conversation, out: Console) -> None:
    """Read lines and answer them until the user leaves."""
    out.print(Text(HELP))
    while True:
        try:
            line = out.input("[bold]you[/bold]  ").strip()
        except (EOFError, KeyboardInterrupt):
            out.print()
            return
        if line in ("/exit", "/quit"):
            return
        if line.startswith("/"):
            _obey(talk, line, out)
        elif line:
            _answer_or_say_why(talk, line, out)


def answer_one(talk: Conversation, question: str, out: Console) -> Answer:
    """The answer to a question, printed as it comes (raises ConfigError, TrainingError)."""
    try:
        return talk.reply(question, lambda text: out.print(Text(printable(text)), end=""))
    finally:
        out.print()


def _obey(talk: Conversation, line: str, out: Console) -> None:
    command, _, words = line.partition(" ")
    if command == "/reset":
        talk.reset()
        out.print(Text("forgotten"))
    elif command == "/system":
        talk.instruct(words.strip() or None)
        system = talk.system or talk.assistant.system
        out.print(Text(printable(f"system: {system}" if system else "no system message")))
    else:
        out.print(Text(HELP))


def _answer_or_say_why(talk: Conversation, question: str, out: Console) -> None:
    known = talk.left_out
    try:
        answer_one(talk, question, out)
    except ConfigError as error:
        out.print(Text(printable(str(error))))
    except KeyboardInterrupt:
        return  # before the answer began
    if talk.left_out > known:
        seen = len(talk.turns) - talk.left_out
        out.print(Text(f"(the model has room for the last {seen // 2} exchanges only)"))
