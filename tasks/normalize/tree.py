"""Message trees (OASST): replies within replies, of which the best at each step is the dialogue."""

import polars as pl

from schemas.cleaning import Cleaning
from tasks.normalize.conversation import USUAL, Spelling, plain, problem
from tasks.normalize.json_rows import PARENT, explode_json
from tasks.normalize.scan import ELEMENT, NESTED
from tasks.normalize.turns import TURNS, Parsed, unknown_roles

NODE = ("text", "role", "replies", "deleted", "review_result")
MAX_TURNS = 128
"""Half the depth of the JSON that is read: a list and an object for each turn."""

_YES, _NO = ("true", "1"), ("false", "0")


def tree_turns(rows: pl.DataFrame, spelling: Spelling = USUAL) -> Parsed:
    """The root and then the best reply of each turn, as deep as it goes.

    One row per row of the batch: `row`, `prompt` (the root, an object), or the root's own keys
    (`NODE`). The best reply has the lowest `rank`, those without one come last, and at a tie the
    first counts; replies that are deleted or failed their review are passed over. The replies
    beside those that were taken are counted.
    """
    level, problems = _roots(rows, spelling)
    taken, beside = [], 0
    for _ in range(MAX_TURNS):
        taken.append(level.select("row", "role", "spoken", "content"))
        replies, strange = _replies(level, spelling)
        problems.append(strange)
        level = _best(replies)
        beside += replies.height - level.height
        if level.is_empty():
            break
    problems.append(problem(level["row"], f"replies are nested more than {MAX_TURNS} deep"))
    turns = pl.concat(taken).sort("row", maintain_order=True)
    problems.append(unknown_roles(turns, turns["spoken"]))
    return Parsed(
        turns.select(TURNS.names()).cast(TURNS),
        pl.concat(problems).unique("row", keep="first", maintain_order=True),
        {Cleaning.OTHER_REPLIES.value: beside},
    )


def _roots(rows: pl.DataFrame, spelling: Spelling) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Nodes of the roots that were not taken back, and PROBLEMS."""
    alone = pl.col("prompt").is_null()
    bare = rows.filter(alone & pl.any_horizontal(pl.col(NODE).is_not_null())).select(
        "row",
        role=spelling.role_of(pl.col("role")),
        spoken="role",
        content=pl.col("text").fill_null(""),
        replies="replies",
        rank=pl.lit(None, dtype=pl.Float64),
        wanted=_wanted(),
    )
    inside, strange = _nodes(rows.select("row", "prompt").drop_nulls(), "prompt", spelling)
    several = inside.filter(pl.col("row").is_duplicated())["row"]
    problems = [strange, problem(several, "prompt is not one message")]
    roots = pl.concat([bare, inside.unique("row", keep="first", maintain_order=True)])
    return roots.filter("wanted").sort("row"), problems


def _replies(level: pl.DataFrame, spelling: Spelling) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Nodes of the replies to each node of a level, and PROBLEMS."""
    said = pl.col("replies").str.strip_chars() != ""
    return _nodes(level.select("row", "replies").filter(said), "replies", spelling)


def _nodes(
    given: pl.DataFrame, column: str, spelling: Spelling
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per message: `row`, `role`, `spoken`, `content`, `replies`, `rank`, `wanted`.

    `given` has one row per list of messages: `row` and `column`. PROBLEMS are of lists that are
    none.
    """
    keys = dict.fromkeys((*spelling.role, *spelling.content, *NODE[2:], "rank", ELEMENT))
    listed, whole = explode_json(given[column], tuple(keys))
    row = given["row"].gather(listed[PARENT])
    spoken = pl.coalesce([listed[key] for key in spelling.role]).str.strip_prefix(NESTED)
    rank = pl.col("rank").cast(pl.Float64, strict=False).fill_nan(None)
    nodes = listed.select(
        row=row,
        role=spelling.role_of(spoken),
        spoken=spoken,
        content=plain(pl.coalesce([listed[key] for key in spelling.content])).fill_null(""),
        replies="replies",
        rank=rank,
        wanted=_wanted(),
    )
    odd = pl.concat([given.filter(~whole)["row"], row.filter(listed[ELEMENT].is_not_null())])
    return nodes.filter(listed[ELEMENT].is_null()), problem(odd, f"{column} holds no message")


def _wanted() -> pl.Expr:
    """Whether a message was neither deleted nor failed its review."""
    deleted = pl.col("deleted").str.to_lowercase().is_in(_YES)
    failed = pl.col("review_result").str.to_lowercase().is_in(_NO)
    return ~deleted.fill_null(False) & ~failed.fill_null(False)


def _best(replies: pl.DataFrame) -> pl.DataFrame:
    """The reply of each row that the dialogue goes on with."""
    return (
        replies.filter("wanted")
        .sort("row", "rank", nulls_last=True, maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
    )
