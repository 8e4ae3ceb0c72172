"""The languages of a shard's rows: told once for its content, whichever stage asks first.

The filter asks where a recipe has a rule on languages, the measures always do.
"""

import polars as pl

from schemas.manifest import ShardRef, StageManifest
from tasks.lake import Lake
from tasks.language import detector, row_languages
from tasks.shards import scan_shard, write_shard
from tasks.stages import finish, finished, stage_digest, stage_key
from tasks.text import prompt, response

STAGE = "language"


def shard_languages(lake: Lake, shard: ShardRef) -> pl.DataFrame:
    """`row_languages` of the records of one shard, in their order: told once for its content.

    Who asks for it while another is at it tells the same.
    """
    digest = stage_digest(STAGE, parent=shard.sha256, detector=detector())
    done = finished(lake, STAGE, digest) or _tell(lake, shard, digest)
    return scan_shard(lake, done.shards[0]).collect()


def _tell(lake: Lake, shard: ShardRef, digest: str) -> StageManifest:
    texts = scan_shard(lake, shard).select(prompt=prompt(), response=response()).collect()
    told = row_languages(texts["prompt"], texts["response"])
    folder = stage_key(STAGE, digest)
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
            shards=(write_shard(told, lake, f"{folder}/part-00000.parquet", shard.source),),
        ),
    )
