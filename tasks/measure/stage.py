"""The measure stage over a lake: the metrics of one shard, written once for its content."""

from schemas.manifest import ShardRef, StageManifest
from schemas.recipe import Measure
from tasks.lake import Lake
from tasks.measure.rows import measure_rows
from tasks.measure.tokens import find_tokenizer, library_versions
from tasks.shards import scan_shard, write_shard
from tasks.stages import finish, finished, stage_digest, stage_key
from tasks.told import shard_languages

STAGE = "measure"


def measure_stage(lake: Lake, shard: ShardRef, measure: Measure) -> StageManifest:
    """METRICS of one normalize shard are in the lake, row for row.

    Raises:
        ConfigError: the recipe's tokenizer is missing or is not one.
    """
    tokenizer = find_tokenizer(measure.tokenizer)
    digest = stage_digest(
        STAGE,
        parent=shard.sha256,
        tokenizer=tokenizer.sha256 if tokenizer else None,
        libraries=library_versions(),
    )
    done = finished(lake, STAGE, digest)
    if done is not None:
        return done
    metrics = measure_rows(scan_shard(lake, shard), tokenizer, shard_languages(lake, shard))
    folder = stage_key(STAGE, digest)
    written = write_shard(metrics, lake, f"{folder}/part-00000.parquet", source=shard.source)
    return finish(
        lake,
        StageManifest(
            stage=STAGE,
            digest=digest,
            uri=folder,
            source=shard.source,
            parents=(shard,),
            rows_in=shard.rows,
            rows_out=shard.rows,
            shards=(written,),
        ),
    )
