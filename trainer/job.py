"""From a corpus version to a pushed adapter, in order: the trainer's table of contents."""

import importlib.metadata
import json
import platform
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from peft import PeftModel
from pydantic import ValidationError
from transformers import PreTrainedTokenizerBase, set_seed

from schemas.adapter import Acceptance, Evaluation, PushedTo, TrainingManifest
from schemas.digests import sha256_of
from schemas.errors import AdapterRejected, CorpusDamaged
from schemas.train import Push, Train
from trainer.accept import accept, accept_copy
from trainer.batches import PaddingCollator
from trainer.card import model_card
from trainer.corpus import Corpus
from trainer.evaluate import evaluate, sample_rows
from trainer.files import (
    CARD,
    CONFIG,
    MANIFEST,
    WEIGHTS,
    read_manifest,
    storage_errors,
    write_text,
)
from trainer.hub import Hub, choose_hub
from trainer.labels import refuse_nothing_to_learn
from trainer.model import attach_lora, load_model, load_tokenizer, wants_bf16
from trainer.progress import Progress
from trainer.quiet import hush_transformers
from trainer.templates import Template, choose_template
from trainer.tokenize import Tokenized, tokenize, tokenizer_digest
from trainer.train import CHECKPOINTS, METRICS, Trained, train_adapter
from trainer.weights import BaseFiles, find_base, recorded_digest, write_record

LIBRARIES = ("accelerate", "datasets", "peft", "safetensors", "tokenizers", "torch", "transformers")
BASE_EVALUATION = "base_evaluation.json"
PROBE = {"role": "user", "content": "Name a colour, and say why you like it."}


@dataclass
class Job:
    """A run that is not finished; `finish` does what is left of it."""

    corpus: Corpus
    train: Train
    seed: int
    name: str
    lake: Path
    folder: Path
    progress: Progress

    def finish(self) -> TrainingManifest:
        """Train and accept, unless that was done; push; write the run's manifest last."""
        hush_transformers()
        hub = choose_hub(self.train.push, self.lake) if self.train.push else None
        manifest = self._accepted()
        if manifest is None:
            if hub and self.train.push:
                hub.prepare(self.train.push.repo, self.train.push.private)
            manifest = self._make_adapter()
        if hub and self.train.push:
            pushed = self._push(hub, self.train.push, manifest)
            manifest = manifest.model_copy(update={"pushed": pushed})
        write_text(self.folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        return manifest

    @property
    def adapter(self) -> Path:
        """The folder that is pushed."""
        return self.folder / "adapter"

    @cached_property
    def base(self) -> BaseFiles:
        """Where the base model is."""
        return find_base(self.train.base_model)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The base model's."""
        return load_tokenizer(self.base)

    @cached_property
    def template(self) -> Template:
        """How conversations read."""
        return choose_template(self.tokenizer, self.train.template, self.base.name)

    @cached_property
    def model(self) -> PeftModel:
        """The base model with a new adapter, the same one for the same seed."""
        self.progress.say(f"loading {self.base.name}")
        if self.train.threads:
            torch.set_num_threads(self.train.threads)
        bare = load_model(self.base, bf16=wants_bf16(self.train))
        set_seed(self.seed)
        return attach_lora(bare, self.train.lora, self.base)

    def _accepted(self) -> TrainingManifest | None:
        """The manifest of an adapter that was trained and accepted before, else None.

        Work on other weights of the base model than those of now is deleted first.
        """
        accepted = read_manifest(self.adapter / MANIFEST, self.name)
        known = recorded_digest(self.folder) or (accepted and accepted.base_digest)
        if known != self.base.digest:
            if known:
                self.progress.say(f"other weights of {self.base.name} than before: starting over")
            self._start_over()
            return None
        return accepted and accepted.model_copy(update={"train": self.train})

    def _start_over(self) -> None:
        """Leave nothing in the run's folder but which base model its work is on, noted last."""
        with storage_errors("write", self.folder):
            for name in (MANIFEST, BASE_EVALUATION, METRICS):
                (self.folder / name).unlink(missing_ok=True)
        for place in (self.adapter, self.folder / CHECKPOINTS):
            shutil.rmtree(place, ignore_errors=True)
        write_record(self.folder, self.base)

    def _make_adapter(self) -> TrainingManifest:
        tokenized = self._tokenize()
        collator = self._collator()
        held_out = tokenized.validation.select(
            sample_rows(len(tokenized.validation), self.train.evaluation_rows, self.seed)
        )
        before = self._before(held_out, collator)
        trained = train_adapter(
            self.model,
            tokenized.train,
            self.train,
            self.seed,
            collator,
            self.folder,
            self.progress.step,
        )
        after = evaluate(self.model, held_out, collator)
        self.progress.losses(before, after)
        self._save_adapter()
        acceptance = accept(self.model, self.adapter, self._probe())
        refuse_worse(before, after, self.train.max_loss_increase)
        manifest = self._manifest(tokenized, trained, before, after, acceptance)
        card = model_card(manifest, self.corpus.manifest)
        write_text(self.adapter / CARD, card)
        shown = without_places(manifest)
        write_text(self.adapter / MANIFEST, shown.model_dump_json(indent=1) + "\n")
        return manifest

    def _tokenize(self) -> Tokenized:
        tokenized = tokenize(
            self.corpus,
            self.train,
            self.template,
            self.lake / "tokenized",
            self.progress.tokenized,
        )
        self.progress.audit(tokenized.audit)
        refuse_nothing_to_learn(tokenized.audit, self.train.max_tokens)
        return tokenized

    def _collator(self) -> PaddingCollator:
        ids = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        pad_id = next(found for found in ids if found is not None)
        return PaddingCollator(int(pad_id), multiple_of=8 if torch.cuda.is_available() else 1)

    def _before(self, held_out: object, collator: PaddingCollator) -> Evaluation | None:
        """The bare base model's loss; measured once, also where the run is resumed."""
        path = self.folder / BASE_EVALUATION
        if path.is_file():
            try:
                return Evaluation.model_validate_json(path.read_text(encoding="utf-8"))
            except ValidationError:
                path.unlink()
        model = self.model
        self.progress.say("measuring the base model on the validation split")
        with model.disable_adapter():
            found = evaluate(model, held_out, collator)
        if found:
            write_text(path, found.model_dump_json() + "\n")
        return found

    def _save_adapter(self) -> None:
        """Write weights and configuration through peft, over what a rejected attempt left."""
        shutil.rmtree(self.adapter, ignore_errors=True)
        with storage_errors("write", self.adapter):
            self.model.save_pretrained(str(self.adapter), save_embedding_layers=False)
            shutil.copymode(self.adapter / CONFIG, self.adapter / WEIGHTS)  # peft makes it private
            settings = json.loads((self.adapter / CONFIG).read_text(encoding="utf-8"))
        if isinstance(settings["target_modules"], list):
            settings["target_modules"].sort()  # from a set: its order differs between processes
        write_text(self.adapter / CONFIG, json.dumps(settings, indent=1, sort_keys=True) + "\n")

    def _probe(self) -> list[int]:
        """A question as the model is asked it, in tokens."""
        text = self.template.prompt([PROBE])
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _push(self, hub: Hub, push: Push, manifest: TrainingManifest) -> PushedTo:
        """One commit of what was accepted; then read it back and accept it again."""
        refuse_altered(self.adapter, manifest)
        self.progress.say(f"pushing to {push.repo}")
        message = (
            f"Adapter of {manifest.corpus} {manifest.corpus_version}, corpus digest "
            f"{manifest.corpus_digest}"
        )
        pushed = hub.push(self.adapter, push.repo, message, push.private)
        with tempfile.TemporaryDirectory(prefix="winnow-") as place:
            copy = Path(place)
            hub.fetch(push.repo, pushed.commit, copy)
            accept_copy(self.adapter, copy)
            accept(self.model, copy, self._probe())
        return pushed

    def _manifest(
        self,
        tokenized: Tokenized,
        trained: Trained,
        before: Evaluation | None,
        after: Evaluation | None,
        acceptance: Acceptance,
    ) -> TrainingManifest:
        versions = [(name, importlib.metadata.version(name)) for name in LIBRARIES]
        return TrainingManifest(
            run=self.name,
            corpus=self.corpus.name,
            corpus_version=self.corpus.version,
            corpus_digest=self.corpus.digest,
            corpus_uri=self.corpus.uri,
            train=self.train,
            seed=self.seed,
            base_model=self.base.name,
            base_revision=self.base.revision,
            base_digest=self.base.digest,
            tokenizer_digest=tokenizer_digest(self.tokenizer),
            template_digest=self.template.digest,
            steps=trained.steps,
            train_loss=trained.train_loss,
            elapsed_s=trained.elapsed_s,
            tokens_per_s=trained.tokens_per_s,
            audit=tokenized.audit,
            validation_audit=tokenized.validation_audit,
            before=before,
            after=after,
            acceptance=acceptance,
            adapter_sha256=sha256_of(self.adapter / WEIGHTS),
            libraries=(("python", platform.python_version()), *versions),
        )


def without_places(manifest: TrainingManifest) -> TrainingManifest:
    """The manifest as it is pushed: a base model's folder on this machine is nobody's business.

    Its name and digest say which model it is.
    """
    base = manifest.train.base_model
    if base.path is None:
        return manifest
    train = manifest.train.model_copy(update={"base_model": base.model_copy(update={"path": ""})})
    return manifest.model_copy(update={"train": train})


def refuse_altered(adapter: Path, manifest: TrainingManifest) -> None:
    """Raise CorpusDamaged unless the adapter's weights are those that were accepted."""
    path = adapter / WEIGHTS
    found = sha256_of(path) if path.is_file() else "no such file"
    if found != manifest.adapter_sha256:
        raise CorpusDamaged(
            f"{path} is not the adapter that was accepted: expected sha256 "
            f"{manifest.adapter_sha256}, found {found}. It was not pushed. Delete {adapter} and "
            "run again: it is saved anew from the last checkpoint."
        )


def refuse_worse(
    before: Evaluation | None, after: Evaluation | None, max_loss_increase: float
) -> None:
    """Raise AdapterRejected if validation loss rose more than allowed, or is no number."""
    if before is None or after is None:
        return
    if after.loss <= before.loss + max_loss_increase:
        return
    raise AdapterRejected(
        f"the adapter is worse than the bare base model: validation loss {before.loss:.4f} before, "
        f"{after.loss:.4f} after; train.max_loss_increase allows {max_loss_increase:g}. It was not "
        "pushed. Lower train.learning_rate, train on more rows, or raise max_loss_increase."
    )
