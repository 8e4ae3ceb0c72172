"""What near dedupe knows of a shard's rows beside their text: computed once, kept in the lake."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.dedupe import NearDedupe
from schemas.manifest import ShardRef, StageManifest
from schemas.source import Source
from tasks.dedupe import digest, minhash
from tasks.dedupe.minhash import PROMPT, Banding, sketch_texts
from tasks.dedupe.numbers import number_digests
from tasks.fold import TextBuffers
from tasks.lake import Lake
from tasks.shards import scan_shard, write_arrow
from tasks.stages import finish, finished, stage_digest, stage_key

PACKAGE = "dedupe"
STAGE = "dedupe_sign"
SIDE_NAMES = ("prompt", "response")


class Folded(NamedTuple):
    """The texts of one shard's rows as they are compared."""

    sides: tuple[TextBuffers, TextBuffers]
    tools: TextBuffers


class Signatures(NamedTuple):
    """One entry per row of a shard; `sketches` is 2 x rows x bins, `filled` 2 x rows."""

    sketches: npt.NDArray[np.uint8]
    filled: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.uint64]
    prompt_digests: npt.NDArray[np.uint64]

    def of(self, rows: npt.NDArray[np.bool_]) -> "Signatures":
        """Those of some rows."""
        return Signatures(
            self.sketches[:, rows],
            self.filled[:, rows],
            self.kind[rows],
            self.numbers[rows],
            self.prompt_digests[rows],
        )


def sign(folded: Folded, source: Source, rules: NearDedupe) -> Signatures:
    """Sketches, and digests of what duplicates have in common: tools, numbers, kind of source."""
    bins = Banding.of(rules.bands, rules.rows).bins
    signed = [sketch_texts(side.offsets, side.data, rules.ngram, bins) for side in folded.sides]
    prompt_numbers, response_numbers = (
        number_digests(side.offsets, side.data) for side in folded.sides
    )
    kind = digest.text_digests(folded.tools.offsets, folded.tools.data)[:, 0]
    asked = folded.sides[PROMPT]
    return Signatures(
        sketches=np.stack([sketches for sketches, _ in signed]),
        filled=np.stack([filled for _, filled in signed]),
        kind=kind ^ np.uint64(source.code),
        numbers=prompt_numbers * minhash.POINT_SPREAD + response_numbers,
        prompt_digests=digest.text_digests(asked.offsets, asked.data)[:, 0],
    )


def kept_signatures(
    lake: Lake, shard: ShardRef, folded: Folded, source: Source, rules: NearDedupe
) -> Signatures:
    """The signatures of every row of a shard, from the lake where it has them.

    They depend on the shard's bytes, on `code` of its source and on the recipe's shingles and
    bands, so a refresh signs the shards that are new.
    """
    name = stage_digest(
        PACKAGE,
        stage=STAGE,
        shard=shard.sha256,
        code=source.code,
        ngram=rules.ngram,
        bins=Banding.of(rules.bands, rules.rows).bins,
    )
    done = finished(lake, STAGE, name)
    if done is not None:
        return _read(lake, done.shards[0])
    signatures = sign(folded, source, rules)
    key = f"{stage_key(STAGE, name)}/part-00000.arrow"
    written = write_arrow(_frame(signatures), lake, key, source=shard.source)
    finish(
        lake,
        StageManifest(
            stage=STAGE,
            digest=name,
            uri=stage_key(STAGE, name),
            parents=(shard,),
            rows_in=shard.rows,
            rows_out=shard.rows,
            shards=(written,),
        ),
    )
    return signatures


def _frame(signatures: Signatures) -> pl.DataFrame:
    """One row per row of the shard."""
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
            **sides,
            "kind": signatures.kind,
            "numbers": signatures.numbers,
            "prompt_digest": signatures.prompt_digests,
        }
    )


def _arrays(sketches: npt.NDArray[np.uint8], bins: int) -> pl.Series:
    return pl.Series(sketches.ravel()).reshape((len(sketches), bins))


def _read(lake: Lake, shard: ShardRef) -> Signatures:
    frame = scan_shard(lake, shard).collect()
    sketches = [
        frame[f"{name}_sketch"].explode().to_numpy().reshape(frame.height, -1)
        for name in SIDE_NAMES
    ]
    return Signatures(
        sketches=np.stack(sketches),
        filled=np.stack([frame[f"{name}_filled"].to_numpy() for name in SIDE_NAMES]),
        kind=frame["kind"].to_numpy(),
        numbers=frame["numbers"].to_numpy(),
        prompt_digests=frame["prompt_digest"].to_numpy(),
    )
