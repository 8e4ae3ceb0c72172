"""From a corpus version to a pushed adapter, in order: the trainer's table of contents."""

import importlib.metadata
import platform
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from peft import PeftModel
from pydantic import TypeAdapter, ValidationError
from transformers import PreTrainedTokenizerBase, set_seed

from schemas.adapter import Acceptance, Measured, Packed, PushedTo, TaskScore, TrainingManifest
from schemas.digests import sha256_of
from schemas.train import Push, Quantize, Train
from trainer import processes
from trainer.accept import accept, accept_copy, accept_model
from trainer.adapters import StartAdapter, refuse_altered
from trainer.answers import SAMPLES, read_samples, samples_of, score, write_samples
from trainer.attention import wants_flat_packs
from trainer.batch_size import noted_rows
from trainer.batches import PackingCollator, PaddingCollator
from trainer.card import checkpoint_card, model_card
from trainer.checkpoint_pushes import RECORD as PUSHED
from trainer.checkpoint_pushes import CheckpointPushes, pushed_checkpoints
from trainer.corpus import Corpus
from trainer.evaluate import refuse_worse
from trainer.exam import Exam, set_exam
from trainer.files import (
    CARD,
    MANIFEST,
    read_manifest,
    storage_errors,
    weights_of,
    write_text,
)
from trainer.harness import HarnessExam, open_harness
from trainer.hub import Hub, choose_hub
from trainer.isolation import isolating
from trainer.labels import refuse_nothing_to_learn, refuse_nothing_to_measure
from trainer.memory import memory_errors
from trainer.metrics import Trained
from trainer.model import attach, load_for, load_tokenizer
from trainer.order import Feed, packed_feed, padded_feed, weighted_rows
from trainer.progress import Progress
from trainer.quiet import hush_transformers
from trainer.saved import Trained as TrainedModel
from trainer.saved import bare, save
from trainer.templates import Template, choose_template
from trainer.tokenize import Tokenized, token_lengths, tokenize, tokenizer_digest
from trainer.train import Offer, restore_last, start_over, train_adapter
from trainer.training_report import REPORT, write_report
from trainer.weights import BaseFiles, find_base, recorded_digest, write_record

LIBRARIES = ("accelerate", "datasets", "peft", "safetensors", "tokenizers", "torch", "transformers")
BASE_EVALUATION = "base_evaluation.json"
BASE_HARNESS = "base_harness.json"
_LESS = "Lower train.max_tokens, set train.quantize to nf4, or take a machine with more memory."
_SCORES = TypeAdapter(tuple[TaskScore, ...])
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
    start: StartAdapter | None = None
    """the adapter that training goes on from"""

    @memory_errors("a run was prepared or judged", _LESS)
    def finish(self) -> TrainingManifest:
        """Train and accept, unless that was done; push; write the run's manifest last."""
        hush_transformers()
        hub = choose_hub(self.train.push, self.lake) if self.train.push else None
        manifest = self._accepted()
        processes.told(None if manifest else str(self.corpus.path))
        if manifest is None:
            harness = open_harness(self.train.harness)
            if hub and self.train.push:
                hub.prepare(self.train.push.repo, self.train.push.private)
            manifest = self._make_adapter(harness)
        manifest = manifest.model_copy(update={"checkpoints": pushed_checkpoints(self.folder)})
        if hub and self.train.push:
            pushed = self._push(hub, self.train.push, manifest)
            manifest = manifest.model_copy(update={"pushed": pushed})
        write_report(self.folder, manifest, self.corpus.manifest)
        write_text(self.folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        return manifest

    @memory_errors("a run was prepared", _LESS)
    def assist(self) -> None:
        """Do another process's share of the optimizer steps that `finish` is about to make."""
        hush_transformers()
        processes.wait()  # until the first has tokenized and measured
        feed = self._feed(self._tokenize())
        train_adapter(self.model, feed, self.train, self.seed, self.folder, self.progress)
        processes.leave()

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
    def model(self) -> TrainedModel:
        """The base model with what is trained of it; a new adapter is the same for a seed."""
        self.progress.say(f"loading {self.base.name}")
        if self.train.threads:
            torch.set_num_threads(self.train.threads)
        bare = load_for(self.base, self.train)
        set_seed(self.seed)
        return attach(bare, self.train, self.base, self.start)

    def _load(self) -> None:
        """Have the model here first: what it refuses is refused before the corpus is tokenized."""
        self.model  # noqa: B018

    def _accepted(self) -> TrainingManifest | None:
        """The manifest of an adapter that was trained and accepted before, else None.

        Work on other weights of the base model than those of now is deleted first. Raises
        CorpusDamaged where the adapter is not as it was accepted.
        """
        accepted = read_manifest(self.adapter / MANIFEST, self.name)
        known = recorded_digest(self.folder) or (accepted and accepted.base_digest)
        if known != self.base.digest:
            if known:
                self.progress.say(f"other weights of {self.base.name} than before: starting over")
            self._start_over()
            return None
        if accepted is None:
            return None
        mend = f"Delete {self.adapter} and run again: it is saved anew from the last checkpoint."
        refuse_altered(weights_of(self.adapter), accepted, mend)
        return accepted.model_copy(update={"train": self.train})

    def _start_over(self) -> None:
        """Leave nothing in the run's folder but which base model its work is on, noted last."""
        with storage_errors("write", self.folder):
            for name in (MANIFEST, BASE_EVALUATION, BASE_HARNESS, PUSHED, SAMPLES, REPORT):
                (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.adapter, ignore_errors=True)
        start_over(self.folder)
        write_record(self.folder, self.base)

    def _make_adapter(self, harness: HarnessExam | None) -> TrainingManifest:
        self._load()
        tokenized = self._tokenize()
        exam = self._exam(tokenized)
        before = self._before(exam)
        scores_before = self._harness_before(harness, exam)
        processes.wait()
        feed = self._feed(tokenized)
        offer = self._offer(tokenized, feed)
        trained = train_adapter(
            self.model, feed, self.train, self.seed, self.folder, self.progress, offer
        )
        processes.leave()
        if processes.is_sharded():
            del self.model  # of which this process has a part only
            restore_last(self.model, self.folder)
            exam = self._exam(tokenized)
        after = exam.sit()
        scores_after = self._harness_scores(harness, exam)
        save(self.model, self.adapter, self.template)
        acceptance = self._accept(self.adapter)
        manifest = self._manifest(tokenized, feed, trained, acceptance, self.adapter)
        manifest = self._with_exam(manifest, exam, before, after)
        scores = {"harness_before": scores_before, "harness_after": scores_after}
        manifest = manifest.model_copy(update=scores)
        self.progress.losses(manifest.before, manifest.after)
        write_report(self.folder, manifest, self.corpus.manifest)
        refuse_worse(manifest.before, manifest.after, self.train)
        card = model_card(manifest, self.corpus.manifest, read_samples(self.folder / SAMPLES))
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
        refuse_nothing_to_measure(tokenized.validation_audit, self.train.max_tokens)
        return tokenized

    def _feed(self, tokenized: Tokenized) -> Feed:
        """The training split as the loop takes it."""
        rows = tokenized.train
        chosen = weighted_rows(rows["source"][:], dict(self.train.source_weights), self.seed)
        if not self.train.packing:
            return padded_feed(rows, chosen, self._collator(), self.seed)
        plain = self._collator()
        packs = PackingCollator(plain.pad_id, plain.multiple_of, flat=wants_flat_packs(self.model))
        collator = isolating(self.model, packs, self.base.name)
        return packed_feed(rows, chosen, collator, self.seed, self.train.max_tokens)

    def _collator(self) -> PaddingCollator:
        ids = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id, 0)
        pad_id = next(found for found in ids if found is not None)
        return PaddingCollator(int(pad_id), multiple_of=8 if torch.cuda.is_available() else 1)

    def _exam(self, tokenized: Tokenized) -> Exam:
        """What the base model and the adapter are both held against."""
        return set_exam(
            self.model,
            self.template,
            self.corpus,
            tokenized.validation,
            self.train,
            self.seed,
        )

    def _before(self, exam: Exam) -> Measured | None:
        """What the bare base model comes to; measured once, also where the run is resumed."""
        path = self.folder / BASE_EVALUATION
        if path.is_file():
            try:
                return Measured.model_validate_json(path.read_text(encoding="utf-8"))
            except ValidationError:
                path.unlink()
        self.progress.say("measuring the base model on the validation split")
        with bare(self.model):
            found = exam.sit()
        if found:
            write_text(path, found.model_dump_json() + "\n")
        return found

    def _harness_before(self, harness: HarnessExam | None, exam: Exam) -> tuple[TaskScore, ...]:
        """The bare base model's scores; asked for once, also where the run is resumed."""
        path = self.folder / BASE_HARNESS
        if harness is None:
            return ()
        if path.is_file():
            try:
                return _SCORES.validate_json(path.read_bytes())
            except ValidationError:
                path.unlink()
        with bare(self.model):
            found = self._harness_scores(harness, exam)
        write_text(path, _SCORES.dump_json(found).decode() + "\n")
        return found

    def _harness_scores(self, harness: HarnessExam | None, exam: Exam) -> tuple[TaskScore, ...]:
        """The scores of the model as it is now."""
        if harness is None:
            return ()
        self.progress.say(f"lm-evaluation-harness: {', '.join(harness.asked.tasks)}")
        return harness.sit(exam.assistant, self.seed)

    def _offer(self, tokenized: Tokenized, feed: Feed) -> Offer | None:
        """What pushes checkpoints while training goes on, where the recipe asks for it."""
        push = self.train.push
        hub = choose_hub(push, self.lake, attempts=1) if push and push.checkpoints else None
        if push is None or hub is None:
            return None
        if processes.is_sharded():
            self.progress.say("no checkpoint is pushed: no process has the whole model")
            return None

        def make(folder: Path, trained: Trained, last_step: int) -> str:
            save(self.model, folder, self.template)
            acceptance = self._accept(folder)
            made = self._manifest(tokenized, feed, trained, acceptance, folder)
            made = without_places(made.model_copy(update={"checkpoint_of": last_step}))
            write_text(folder / CARD, checkpoint_card(made, self.corpus.manifest))
            write_text(folder / MANIFEST, made.model_dump_json(indent=1) + "\n")
            return f"Checkpoint of {self.name} after step {trained.steps:,} of {last_step:,}"

        say = self.progress.say
        steps = self.train.save_steps
        return CheckpointPushes(self.model, self.folder, steps, push, hub, make, say).offer

    def _with_exam(
        self,
        manifest: TrainingManifest,
        exam: Exam,
        before: Measured | None,
        after: Measured | None,
    ) -> TrainingManifest:
        """The manifest with what both models came to; their answers are written to be read."""
        if before is None or after is None:
            return manifest
        samples = samples_of(exam.quiz, before.replies, after.replies)
        if samples:
            write_samples(self.folder / SAMPLES, samples)
        found = {
            "before": before.evaluation,
            "after": after.evaluation,
            "answers_before": score(exam.quiz, before.replies),
            "answers_after": score(exam.quiz, after.replies),
        }
        return manifest.model_copy(update=found)

    def _accept(self, folder: Path) -> Acceptance:
        """What the acceptance test saw of a saved adapter, or of a saved model."""
        if isinstance(self.model, PeftModel):
            return accept(self.model, folder, self._probe(), self.start)
        return accept_model(self.base, folder, self._probe(), torch.float32)

    def _probe(self) -> list[int]:
        """A question as the model is asked it, in tokens."""
        text = self.template.prompt([PROBE])
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _push(self, hub: Hub, push: Push, manifest: TrainingManifest) -> PushedTo:
        """One commit of what was accepted; then read it back and accept it again."""
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
            self._accept(copy)
        return pushed

    def _manifest(
        self,
        tokenized: Tokenized,
        feed: Feed,
        trained: Trained,
        acceptance: Acceptance,
        folder: Path,
    ) -> TrainingManifest:
        """What a folder with what was trained so far was made from."""
        quantized = ("bitsandbytes",) if self.train.quantize is not Quantize.NONE else ()
        examined = ("lm-eval",) if self.train.harness is not None else ()
        used = (*LIBRARIES, *quantized, *examined)
        versions = [(name, importlib.metadata.version(name)) for name in used]
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
            started_from=self.start and self.start.record,
            tokenizer_digest=tokenizer_digest(self.tokenizer),
            template_digest=self.template.digest,
            steps=trained.steps,
            step_rows=noted_rows(self.folder),
            train_loss=trained.train_loss,
            elapsed_s=trained.elapsed_s,
            tokens_per_s=trained.tokens_per_s,
            audit=tokenized.audit,
            lengths=token_lengths(feed.lengths),
            packed=packed_of(feed),
            validation_audit=tokenized.validation_audit,
            before=None,
            after=None,
            acceptance=acceptance,
            adapter_sha256=sha256_of(weights_of(folder)),
            libraries=(("python", platform.python_version()), *versions),
        )


def packed_of(feed: Feed) -> Packed | None:
    """What packing made of the rows, where it is on."""
    if feed.packing is None:
        return None
    return Packed(
        rows=feed.lengths.size, packs=feed.packing.packs, efficiency=feed.packing.efficiency
    )


def without_places(manifest: TrainingManifest) -> TrainingManifest:
    """The manifest as it is pushed: folders on this machine are nobody's business.

    Names and digests say which base model it is, and which adapter training went on from.
    """
    base, started = manifest.train.base_model, manifest.started_from
    blank = {} if base.path is None else {"base_model": base.model_copy(update={"path": ""})}
    renamed = {} if started is None else {"start_from": started.name}
    train = manifest.train.model_copy(update={**blank, **renamed})
    return manifest.model_copy(update={"train": train})
