"""Talk to an adapter in the terminal, through the template it was trained with."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from schemas.adapter import TrainingManifest
from schemas.errors import ConfigError, UnknownName
from schemas.printable import printable
from trainer.files import CONFIG, MANIFEST, read_manifest
from trainer.quiet import hush, hush_transformers

HELP = "/reset forgets the conversation, /system TEXT sets an instruction, /exit leaves"


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen; at temperature 0 always the likeliest."""

    max_new_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 0.9
    seed: int | None = None


@dataclass
class Chat:
    """A conversation with a model: what was said so far, and how to go on."""

    model: Any
    template: Any
    encoder: Any
    sampling: Sampling
    system: str | None = None
    turns: list[dict[str, str]] = field(default_factory=list)

    def reply(self, question: str, on_text: Callable[[str], None]) -> str:
        """The assistant's answer, passed to `on_text` piece by piece and kept for the next turn."""
        import torch
        from transformers import GenerationConfig

        self.turns.append({"role": "user", "content": question})
        ids = torch.tensor([self.prompt_ids()], device=next(self.model.parameters()).device)
        if self.sampling.seed is not None:
            torch.manual_seed(self.sampling.seed)
        config = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=self.sampling.max_new_tokens,
            eos_token_id=self._stop_ids(),
            pad_token_id=self.template.stop_id,
            **self._warmth(),
        )
        with torch.inference_mode():
            found = self.model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                generation_config=config,
                streamer=_streamer(self.template, on_text),
            )
        said = self.template.tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True)
        answer = str(said).removeprefix(self.template.lead)
        self.turns.append({"role": "assistant", "content": answer})
        return answer

    def prompt_ids(self) -> list[int]:
        """The conversation in tokens; its oldest turns are left out where it grew too long."""
        from trainer.model import context_tokens

        room = (context_tokens(self.model) or 2**31) - self.sampling.max_new_tokens
        kept = list(self.turns)
        while True:
            ids = list(self.encoder.opening([self._render(kept)])[0])
            if len(ids) <= room or len(kept) <= 2:
                return ids
            kept = kept[2:]

    def _render(self, turns: list[dict[str, str]]) -> str:
        head = [{"role": "system", "content": self.system}] if self.system else []
        return str(self.template.prompt([*head, *turns]))

    def _warmth(self) -> dict[str, Any]:
        chosen = self.sampling
        if chosen.temperature <= 0:
            return {"do_sample": False}
        return {"do_sample": True, "temperature": chosen.temperature, "top_p": chosen.top_p}

    def _stop_ids(self) -> list[int]:
        """The stop token of training, and those the model itself stops at."""
        own = self.model.generation_config.eos_token_id
        listed = own if isinstance(own, list) else [own]
        return sorted({self.template.stop_id, *(one for one in listed if one is not None)})


def chat(
    adapter: str | None,
    lake: Path,
    prompt: str | None = None,
    system: str | None = None,
    sampling: Sampling | None = None,
    console: Console | None = None,
) -> None:
    """Load an adapter with its base model; answer `prompt`, or talk until the user leaves.

    `adapter` is as for `find_adapter`.

    Raises:
        UnknownName: there is no such adapter.
        ConfigError: its base model is not the one on this machine.
    """
    hush()
    out = console or Console(highlight=False, soft_wrap=True)
    folder = find_adapter(adapter, lake)
    if prompt is None:
        out.print(Text(printable(f"loading {folder}")))
    talk = open_chat(folder, lake, sampling or Sampling(), system)
    if prompt is not None:
        _answer(talk, prompt, out)
        return
    out.print(Text(HELP))
    _converse(talk, out)


def find_adapter(name: str | None, lake: Path) -> Path:
    """The folder of an adapter.

    `name` is such a folder, a run's folder, the name of a run in the lake, or a repository of its
    folder hub, of which the newest commit is meant; None means the run that finished last.

    Raises:
        UnknownName: nothing of that name holds an adapter.
    """
    runs = lake / "runs"
    if name is None:
        done = sorted(runs.glob(f"*/{MANIFEST}"), key=os.path.getmtime)
        if not done:
            raise UnknownName(f"no run in {runs} is finished. Train one first: winnow train")
        return done[-1].parent / "adapter"
    candidates = [Path(name), Path(name) / "adapter", runs / name / "adapter"]
    reference = lake / "hub" / name / "refs" / "main"
    if reference.is_file():
        commit = reference.read_text(encoding="utf-8").strip()
        candidates.append(lake / "hub" / name / "commits" / commit)
    for folder in candidates:
        if (folder / CONFIG).is_file():
            return folder
    known = ", ".join(sorted(path.parent.name for path in runs.glob(f"*/{MANIFEST}"))) or "none"
    raise UnknownName(f"{name!r} holds no adapter; finished runs in {runs}: {known}")


def open_chat(folder: Path, lake: Path, sampling: Sampling, system: str | None = None) -> Chat:
    """Base model and adapter, ready to answer (raises ConfigError).

    `lake` may hold the run that made the adapter: it knows where a base model's folder is.
    """
    from peft import PeftModel

    from trainer.labels import TextEncoder
    from trainer.model import load_model, load_tokenizer, wants_bf16
    from trainer.templates import choose_template
    from trainer.weights import find_base

    hush_transformers()
    made = _manifest_of(folder, lake)
    base = find_base(made.train.base_model)
    if base.digest != made.base_digest:
        raise ConfigError(
            f"{folder} was trained on other weights of {made.base_model}: expected sha256 "
            f"{made.base_digest}, found {base.digest}. Install revision {made.base_revision}."
        )
    template = choose_template(load_tokenizer(base), made.train.template, base.name)
    bare = load_model(base, bf16=wants_bf16(made.train))
    model = PeftModel.from_pretrained(bare, str(folder))
    model.eval()
    return Chat(model, template, TextEncoder(template.tokenizer), sampling, system)


def _manifest_of(folder: Path, lake: Path) -> TrainingManifest:
    """The adapter's manifest, with the place of its base model (raises ConfigError)."""
    made = read_manifest(folder / MANIFEST)
    if made is None:
        raise ConfigError(
            f"{folder} holds no {MANIFEST}, so its base model and template are not known. "
            "Give an adapter that Winnow trained."
        )
    if made.train.base_model.path != "":
        return made
    for run in (folder.absolute().parent, lake / "runs" / made.run):
        own = read_manifest(run / MANIFEST, made.run)
        if own and own.adapter_sha256 == made.adapter_sha256:
            return own
    raise ConfigError(
        f"{folder} was trained on {made.base_model} from a folder, and no run here says where that "
        f"folder is. Put the model with weights of sha256 {made.base_digest} on this machine and "
        f"its folder into train.base_model.path of {folder / MANIFEST}."
    )


def _converse(talk: Chat, out: Console) -> None:
    """Read lines and answer them until the user leaves."""
    while True:
        try:
            line = out.input("[bold]you[/bold]  ").strip()
        except (EOFError, KeyboardInterrupt):
            out.print()
            return
        if line in ("/exit", "/quit"):
            return
        if line == "/reset":
            talk.turns.clear()
        elif line.startswith("/system"):
            talk.system = line.removeprefix("/system").strip() or None
            talk.turns.clear()
        elif line.startswith("/"):
            out.print(Text(HELP))
        elif line:
            _answer(talk, line, out)


def _answer(talk: Chat, question: str, out: Console) -> None:
    try:
        talk.reply(question, lambda text: out.print(Text(printable(text)), end=""))
    except KeyboardInterrupt:
        talk.turns.pop()
    out.print()


def _streamer(template: Any, on_text: Callable[[str], None]) -> Any:
    """A transformers streamer that hands on the answer's text as its words become whole."""
    from transformers import TextStreamer

    class Streamer(TextStreamer):
        lead = template.lead

        def on_finalized_text(self, text: str, stream_end: bool = False) -> None:  # noqa: ARG002
            on_text(text.removeprefix(self.lead))
            self.lead = ""

    return Streamer(template.tokenizer, skip_prompt=True, skip_special_tokens=True)
