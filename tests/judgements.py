"""A small corpus that all stages have spoken of, drawn as a table, for tests of what comes after."""

import hashlib

import polars as pl

from schemas.manifest import RawFile, RawReceipt, ShardRef, StageManifest
from schemas.metrics import METRICS
from schemas.reasons import DropReason
from schemas.recipe import Recipe
from schemas.record import RECORD, UNREADABLE, VERDICT
from schemas.source import Source
from tasks import text
from tasks.judged import Judgement
from tasks.lake import Lake
from tasks.shards import write_shard
from tasks.stages import drops_by_reason

Row = dict[str, str]


def draw(table: str) -> list[Row]:
    """Rows of a table drawn with `|`, the first line naming the columns."""
    lines = [line for line in table.strip().splitlines() if line.strip()]
    names = [cell.strip() for cell in lines[0].split("|")]
    return [
        dict(zip(names, (cell.strip() for cell in line.split("|")), strict=True))
        for line in lines[1:]
    ]


def records(rows: list[Row]) -> pl.DataFrame:
    """RECORD rows of drawn ones with `source`, `user`, `assistant`, and `licence` where drawn.

    source_row counts per source.
    """
    frame = pl.DataFrame(
        {
            "source": [row["source"] for row in rows],
            "licence": [row.get("licence", "MIT") for row in rows],
            "messages": [
                [
                    {"role": "user", "content": row["user"]},
                    {"role": "assistant", "content": row["assistant"]},
                ]
                for row in rows
            ],
        },
        schema_overrides={"messages": RECORD["messages"]},
    )
    return frame.with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).over("source").alias("source_row"),
        pl.lit(None, pl.String).alias("category"),
        pl.lit(None, pl.String).alias("tools"),
    ).select(text.record_id(), *[name for name in RECORD if name != "record_id"])


def judgement(lake: Lake, table: str, unread: int = 0) -> tuple[Judgement, tuple[RawReceipt, ...]]:
    """What the stages would have written for rows drawn as source | user | assistant | reason.

    `reason` is a DropReason or empty; one shard per source. The first source also has `unread`
    pieces that could not be read.
    """
    rows = draw(table)
    names = list(dict.fromkeys(row["source"] for row in rows))
    normalized, filtered, measured, exact, near, receipts = [], [], [], [], [], []
    for name in names:
        mine = [row for row in rows if row["source"] == name]
        frame = records(mine)
        shard = write_shard(frame, lake, f"stages/normalize/{name}/part-00000.parquet", source=name)
        ledger, lost = _unread(lake, name, unread if name == names[0] else 0, frame.height)
        normalized.append(
            StageManifest(
                stage="normalize",
                digest=_sha(name, str(lost), *(f"{row['user']}{row['assistant']}" for row in mine)),
                uri=f"stages/normalize/{name}",
                source=name,
                rows_in=frame.height + lost,
                rows_out=frame.height,
                drops=drops_by_reason(
                    pl.Series("drop_reason", ["unreadable"] * lost, pl.String), "normalize", name
                ),
                shards=(shard,),
                ledger=ledger,
            )
        )
        reasons = [DropReason(row["reason"]) if row["reason"] else None for row in mine]
        filtered.append(_verdicts(lake, "filter", shard, reasons))
        exact.append(_verdicts(lake, "dedupe_exact", shard, reasons))
        near.append(_verdicts(lake, "dedupe_near", shard, reasons, frame))
        measured.append(_measured(lake, shard, frame))
        file = RawFile(name=f"{name}.json", sha256=_sha(name), size_bytes=1)
        receipts.append(
            RawReceipt(
                source=name, uri=f"raw/{name}", digest=_sha(name), upstream=name, files=(file,)
            )
        )
    whole = Judgement(
        normalized=tuple(normalized),
        filtered=tuple(filtered),
        measured=tuple(measured),
        exact=_joined(exact),
        near=_joined(near),
    )
    return whole, tuple(receipts)


def recipe_of(*sources: str, **changes: object) -> Recipe:
    """A recipe named `tiny` over sources of these names."""
    inline = tuple(
        Source.from_mapping(
            {"name": name, "layout": "alpaca", "licence": "MIT", "local": {"path": "/none"}}, "test"
        )
        for name in sources
    )
    return Recipe.from_mapping({"name": "tiny", "sources": inline} | changes, "test")


def _verdicts(
    lake: Lake,
    stage: str,
    shard: ShardRef,
    reasons: list[DropReason | None],
    clustered: pl.DataFrame | None = None,
) -> StageManifest:
    mine = [reason.value if reason and reason.stage == stage else None for reason in reasons]
    frame = pl.DataFrame(
        {name: mine if name == "drop_reason" else [None] * len(mine) for name in VERDICT},
        schema=VERDICT,
    )
    if clustered is not None:
        kept = pl.Series([reason is None for reason in reasons])
        cluster = pl.select(pl.when(kept).then(clustered["record_id"]).alias("cluster"))
        frame = frame.hstack(cluster).with_columns(conflict=pl.lit(None, pl.String))
    key = f"stages/{stage}/{shard.source}/part-00000.parquet"
    drops = drops_by_reason(frame["drop_reason"], stage, shard.source or "")
    return StageManifest(
        stage=stage,
        digest=_sha(stage, shard.sha256, *(str(one) for one in mine)),
        uri=f"stages/{stage}/{shard.source}",
        parents=(shard,),
        rows_in=shard.rows,
        rows_out=shard.rows - sum(drop.rows for drop in drops),
        drops=drops,
        shards=(write_shard(frame, lake, key),),
    )


def _measured(lake: Lake, shard: ShardRef, frame: pl.DataFrame) -> StageManifest:
    chars = frame.select(
        pl.lit("en").alias("language"),
        pl.lit(1).alias("turns"),
        pl.lit(False).alias("refusal"),
        text.prompt().str.len_chars().alias("prompt_chars"),
        text.response().str.len_chars().alias("response_chars"),
        pl.lit(None).alias("prompt_tokens"),
        pl.lit(None).alias("response_tokens"),
    ).cast(dict(METRICS))
    key = f"stages/measure/{shard.source}/part-00000.parquet"
    return StageManifest(
        stage="measure",
        digest=_sha("measure", shard.sha256),
        uri=f"stages/measure/{shard.source}",
        parents=(shard,),
        rows_in=shard.rows,
        rows_out=shard.rows,
        shards=(write_shard(chars.select(*METRICS), lake, key),),
    )


def _unread(lake: Lake, name: str, rows: int, first: int) -> tuple[tuple[ShardRef, ...], int]:
    if not rows:
        return (), 0
    frame = pl.DataFrame(
        {
            "source": [name] * rows,
            "source_row": list(range(first, first + rows)),
            "file": [f"{name}.json"] * rows,
            "offset": list(range(rows)),
            "drop_reason": ["unreadable"] * rows,
            "message": ["unexpected end of input"] * rows,
            "excerpt": ['{"instruction": "cut'] * rows,
        },
        schema=UNREADABLE,
    )
    return (write_shard(frame, lake, f"stages/normalize/{name}/ledger-00000.parquet"),), rows


def _joined(stages: list[StageManifest]) -> StageManifest:
    return StageManifest(
        stage=stages[0].stage,
        digest=_sha(*(stage.digest for stage in stages)),
        uri=f"stages/{stages[0].stage}",
        parents=tuple(parent for stage in stages for parent in stage.parents),
        rows_in=sum(stage.rows_in for stage in stages),
        rows_out=sum(stage.rows_out for stage in stages),
        drops=tuple(drop for stage in stages for drop in stage.drops),
        shards=tuple(shard for stage in stages for shard in stage.shards),
    )


def _sha(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
