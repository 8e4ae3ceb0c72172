"""What near dedupe knows of a shard's rows beside their text: computed once, kept in the lake."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.dedupe import NearDedupe
from schemas.manifest import ShardRef, StageManifest
from schemas.source import Source
from tasks.dedupe import digest, minhash
from tasks.dedupe.answers import answer_digests
from tasks.dedupe.minhash import PROMPT, RESPONSE, Banding, sketch_texts
from tasks.dedupe.numbers import number_digests
from tasks.fold import TextBuffers, fold_buffers
from tasks.lake import Lake
from tasks.shards import scan_shard, write_arrow
from tasks.stages import finish, finished, stage_digest, stage_key

PACKAGE = "dedupe"
STAGE = "dedupe_sign"
SIDE_NAMES = ("prompt", "response")
Places = npt.NDArray[np.int64]


class Folded(NamedTuple):
    """The texts of one shard's rows as they are compared."""

    sides: tuple[TextBuffers, TextBuffers]
    tools: TextBuffers
    response_chars: npt.NDArray[np.uint32]
    """Before folding, in code points."""


class Signatures(NamedTuple):
    """One entry per row; `sketches` is 2 x rows x bins, `filled` 2 x rows."""

    sketches: npt.NDArray[np.uint8]
    filled: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.uint64]
    answers: npt.NDArray[np.uint64]
    prompt_digests: npt.NDArray[np.uint64]
    response_chars: npt.NDArray[np.uint32]

    def of(self, rows: Places) -> "Signatures":
        """Those of some rows, in their order."""
        return Signatures(*(one[:, rows] if one.ndim > 1 else one[rows] for one in self.arrays))

    def followed_by(self, more: "Signatures") -> "Signatures":
        """These, then those."""
        both = zip(self.arrays, more.arrays, strict=True)
        return Signatures(*(np.concatenate(pair, axis=min(1, pair[0].ndim - 1)) for pair in both))

    @property
    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """All of them, one after the other; of those of both sides the second axis is the rows'."""
        return tuple(self)


def fold_shard(rows: pl.DataFrame, source: Source) -> Folded:
    """The texts of a shard as they are compared; those of a code source in their strict form.

    `rows`: prompt, response, tools, one row per record.
    """
    return Folded(
        (
            fold_buffers(rows["prompt"], strict=source.code),
            fold_buffers(rows["response"], strict=source.code),
        ),
        fold_buffers(rows["tools"], strict=True),
        rows["response"].str.len_chars().fill_null(0).to_numpy(),
    )


def sign(folded: Folded, source: Source, rules: NearDedupe) -> Signatures:
    """Sketches, and digests of what duplicates have in common: tools, numbers, answers, code."""
    bins = Banding.of(rules.bands, rules.rows).bins
    signed = [sketch_texts(side.offsets, side.data, rules.ngram, bins) for side in folded.sides]
    prompt_numbers, response_numbers = (
        number_digests(side.offsets, side.data) for side in folded.sides
    )
    kind = digest.text_digests(folded.tools.offsets, folded.tools.data)[:, 0]
    asked, answered = folded.sides[PROMPT], folded.sides[RESPONSE]
    return Signatures(
        sketches=np.stack([sketches for sketches, _ in signed]),
        filled=np.stack([filled for _, filled in signed]),
        kind=kind ^ np.uint64(source.code),
        numbers=prompt_numbers * minhash.POINT_SPREAD + response_numbers,
        answers=answer_digests(answered.offsets, answered.data),
        prompt_digests=digest.text_digests(asked.offsets, asked.data)[:, 0],
        response_chars=folded.response_chars,
    )


def kept_signatures(
    lake: Lake,
    shard: ShardRef,
    places: Places,
    rows: pl.DataFrame,
    folded: Folded,
    source: Source,
    rules: NearDedupe,
) -> Signatures:
    """The signatures of some rows of a shard, from the lake where it has them; new ones go there.

    `places` are the rows' positions in the shard, ascending; `rows` are these rows and `folded` is
    their text. Signatures depend on the shard's bytes, on `code` of its source and on the recipe's
    shingles and bands, so a refresh signs what is new: a new shard, or a row that takes part for
    the first time because an exact copy of it, or the filter, has changed.
    """
    bins = Banding.of(rules.bands, rules.rows).bins
    name = stage_digest(
        PACKAGE,
        stage=STAGE,
        shard=shard.sha256,
        code=source.code,
        ngram=rules.ngram,
        bins=bins,
    )
    done = finished(lake, STAGE, name)
    if done is None:
        signatures = sign(folded, source, rules)
        _write(lake, name, shard, places, signatures)
        return signatures
    signed, signatures = _read(lake, done.shards[0], bins)
    missing = ~np.isin(places, signed, assume_unique=True)
    if missing.any():
        more = sign(fold_shard(rows.filter(pl.Series(missing)), source), source, rules)
        signatures = signatures.followed_by(more)
        signed = np.concatenate([signed, places[missing]])
        order = np.argsort(signed)
        signed, signatures = signed[order], signatures.of(order)
        _write(lake, name, shard, signed, signatures)
    return signatures.of(np.searchsorted(signed, places))


def _write(
    lake: Lake, name: str, shard: ShardRef, signed: Places, signatures: Signatures
) -> StageManifest:
    """Keep what is signed of a shard, in the place of less."""
    rows = len(signed)
    key = f"{stage_key(STAGE, name)}/part-{rows:09d}.arrow"
    written = write_arrow(_frame(signed, signatures), lake, key, source=shard.source)
    return finish(
        lake,
        StageManifest(
            stage=STAGE,
            digest=name,
            uri=stage_key(STAGE, name),
            parents=(shard,),
            rows_in=rows,
            rows_out=rows,
            shards=(written,),
        ),
    )


def _frame(signed: Places, signatures: Signatures) -> pl.DataFrame:
    """One row per row that is signed; `row` is its position in the shard."""
    bins = signatures.sketches.shape[2]
    sides = {
        name: column
        for side, prefix in enumerate(SIDE_NAMES)
        for name, column in (
            (f"{prefix}_sketch", _arrays(signatures.sketches[side], bins)),
            (f"{prefix}_filled", pl.Series(signatures.filled[side])),
        )
    }
    return pl.DataFrame(
        {
            "row": signed.astype(np.uint32),
            **sides,
            "kind": signatures.kind,
            "numbers": signatures.numbers,
            "answer": signatures.answers,
            "prompt_digest": signatures.prompt_digests,
            "response_chars": signatures.response_chars,
        }
    )


def _arrays(sketches: npt.NDArray[np.uint8], bins: int) -> pl.Series:
    return pl.Series(sketches.ravel()).reshape((len(sketches), bins))


def _read(lake: Lake, shard: ShardRef, bins: int) -> tuple[Places, Signatures]:
    frame = scan_shard(lake, shard).collect()
    sketches = [
        frame[f"{name}_sketch"].explode().to_numpy().reshape(frame.height, bins)
        for name in SIDE_NAMES
    ]
    signatures = Signatures(
        sketches=np.stack(sketches),
        filled=np.stack([frame[f"{name}_filled"].to_numpy() for name in SIDE_NAMES]),
        kind=frame["kind"].to_numpy(),
        numbers=frame["numbers"].to_numpy(),
        answers=frame["answer"].to_numpy(),
        prompt_digests=frame["prompt_digest"].to_numpy(),
        response_chars=frame["response_chars"].to_numpy(),
    )
    return frame["row"].to_numpy().astype(np.int64), signatures
