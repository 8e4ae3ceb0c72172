"""A page to talk to a model in a browser, for this machine alone. Needs the extra `web`."""

import contextlib
import html
import itertools
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from schemas.answers import Decoding
from schemas.errors import ConfigError, WinnowError
from trainer.conversation import Conversation
from trainer.generation import Assistant, StopAnswering

HOST = "127.0.0.1"
WAKE_S = 0.5
TITLE = "Winnow"
Respond = Callable[[str, list[dict[str, Any]], str], Iterator[str]]
"""From a question, what was said before it and the system message, of which an empty one is none:
the answer so far, again and again, until it is whole."""
INSTALL = "--web needs Gradio, which is not installed: pip install winnow[web]"


def serve(
    assistant: Assistant, decoding: Decoding, port: int, on_ready: Callable[[str], None]
) -> None:
    """Serve the page until Ctrl-C; `on_ready` gets its address (raises ConfigError)."""
    with serving(assistant, decoding, port) as address:
        on_ready(address)
        with contextlib.suppress(KeyboardInterrupt):
            while True:  # a wait without end may sleep through the signal that another thread got
                time.sleep(WAKE_S)


def check(port: int) -> None:
    """Raise ConfigError where there is no Gradio, or the port is taken."""
    _gradio()
    with socket.socket() as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asking.bind((HOST, port))
        except OSError:
            raise _taken(port) from None


@contextlib.contextmanager
def serving(assistant: Assistant, decoding: Decoding, port: int) -> Iterator[str]:
    """The page's address, at which it is served during the block (raises ConfigError)."""
    gradio = _gradio()
    page = chat_page(assistant, decoding)
    try:
        _, address, _ = page.launch(
            server_name=HOST,
            server_port=port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=["api"],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            theme=gradio.themes.Default(  # the fonts of the default one come from a font server
                font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
            ),
        )
    except OSError:
        raise _taken(port) from None
    try:
        yield address
    finally:
        page.close(verbose=False)


def chat_page(assistant: Assistant, decoding: Decoding) -> Any:
    """A Gradio chat with a field for the system message (raises ConfigError without Gradio).

    What is said is shown as the text that it is: no Markdown, no markup, no tags.
    """
    gradio = _gradio()
    respond = responder(assistant, decoding)

    def answer(question: str, history: list[dict[str, Any]], system: str) -> Iterator[str]:
        try:
            yield from respond(question, history, system)
        except WinnowError as error:
            raise gradio.Error(html.escape(str(error)), print_exception=False) from None

    return gradio.ChatInterface(
        answer,
        chatbot=gradio.Chatbot(
            render_markdown=False,
            allow_tags=False,
            reasoning_tags=[],
            latex_delimiters=[],
            buttons=["copy"],
            height="70vh",
        ),
        additional_inputs=gradio.Textbox(
            value=assistant.system or "", label="System message", lines=2
        ),
        title=TITLE,
        api_name="chat",
        analytics_enabled=False,
        flagging_mode="never",
        concurrency_limit=1,
        cache_examples=False,
    )


def responder(assistant: Assistant, decoding: Decoding) -> Respond:
    """What answers the questions of a page, one at a time, each under a seed of its own.

    A question that is asked again is so answered anew. The first seed is that of `decoding`.
    """
    answering = threading.Lock()
    seeds = itertools.count(decoding.seed)

    def respond(question: str, history: list[dict[str, Any]], system: str) -> Iterator[str]:
        chosen = decoding.model_copy(update={"seed": next(seeds)})
        talk = Conversation(assistant, chosen, system.strip(), _exchanges(history))
        said = ""
        with contextlib.closing(_pieces(talk, question, answering)) as pieces:
            for piece in pieces:
                said += piece
                yield said

    return respond


def _pieces(
    talk: Conversation, question: str, answering: threading.Lock
) -> Generator[str, None, None]:
    """The answer's text as it comes, made in a thread of its own; one answer at a time.

    The answer ends where the iterator is closed.
    """
    heard: queue.SimpleQueue[str | WinnowError | None] = queue.SimpleQueue()
    unwanted = threading.Event()

    def on_text(piece: str) -> None:
        if unwanted.is_set():
            raise StopAnswering
        heard.put(piece)

    def work() -> None:
        try:
            with answering:
                talk.reply(question, on_text)
        except WinnowError as error:
            heard.put(error)
        finally:
            heard.put(None)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (said := heard.get()) is not None:
            if isinstance(said, WinnowError):
                raise said
            yield said
    finally:
        unwanted.set()


def _exchanges(history: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The answered questions of what a browser says was said."""
    turns = [{"role": str(one["role"]), "content": _text(one["content"])} for one in history]
    return [
        turn
        for asked, answered in itertools.pairwise(turns)
        if (asked["role"], answered["role"]) == ("user", "assistant")
        for turn in (asked, answered)
    ]


def _text(content: Any) -> str:
    """A message's text, which Gradio cuts into parts."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _taken(port: int) -> ConfigError:
    return ConfigError(f"port {port} of {HOST} is taken. Choose another one with --port.")


def _gradio() -> Any:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    try:
        import gradio
    except ImportError:
        raise ConfigError(INSTALL) from None
    return gradio
