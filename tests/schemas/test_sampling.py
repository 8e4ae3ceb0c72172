"""The sampling part of a recipe: what may be said, and what an empty one comes to."""

from typing import Any

import pytest

from schemas.errors import ConfigError
from schemas.sampling import OTHER, Sampling
from tasks.measure import composition
from tasks.publish.identity import corpus_part
from tasks.sample.choose import NAMELESS
from tests.judgements import recipe_of


def shares(**by: float) -> dict[str, Any]:
    return {"balance": {"by": "language", "shares": by}}


# fmt: off
REFUSED = {  #                    sampling                                       says
    "an unknown key":            ({"source": {}},                               "unknown key 'source'; did you mean 'sources'?"),
    "a typo in one source":      ({"sources": {"a": {"fractoin": 1}}},          "sources.a: unknown key 'fractoin'; did you mean 'fraction'?"),
    "more than all":             ({"sources": {"a": {"fraction": 1.1}}},        "sources.a.fraction: Input should be less than or equal to 1"),
    "less than nothing":         ({"sources": {"a": {"fraction": -0.1}}},       "sources.a.fraction: Input should be greater than or equal to 0"),
    "no row":                    ({"sources": {"a": {"max_rows": 0}}},          "sources.a.max_rows: Input should be greater than or equal to 1"),
    "less than once":            ({"sources": {"a": {"repeat": 0.9}}},          "sources.a.repeat: Input should be greater than or equal to 1"),
    "too often":                 ({"sources": {"a": {"repeat": 101}}},          "sources.a.repeat: Input should be less than or equal to 100"),
    "shares of more than all":   (shares(en=0.5, zh=0.6),                       "balance: the shares are 1.1 together, expected 1"),
    "shares of less":            (shares(en=0.5),                               "balance: the shares are 0.5 together, expected 1; '(other)' names the rest"),
    "no share":                  (shares(),                                     "balance.shares: Tuple should have at least 1 item"),
    "a negative share":          (shares(en=1.5, zh=-0.5),                      "balance.shares.en: Input should be less than or equal to 1"),
    "by something else":         ({"balance": {"by": "langauge", "shares": {"en": 1}}}, "balance.by: unknown value 'langauge'; did you mean 'language'?"),
}
# fmt: on


@pytest.mark.parametrize(("sampling", "says"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_sampling_is_refused_with_its_place(sampling: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as error:
        Sampling.from_mapping(sampling, "r.yaml")
    assert says in str(error.value)


# fmt: off
ON = {  #                        sampling                                      is on
    "nothing":                  ({},                                           False),
    "no source":                ({"sources": {}},                              False),
    "a source as it comes":     ({"sources": {"a": {}}},                       False),
    "defaults spelt out":       ({"sources": {"a": {"fraction": 1, "repeat": 1}}}, False),
    "a fraction":               ({"sources": {"a": {"fraction": 0.5}}},        True),
    "a cap":                    ({"sources": {"a": {"max_rows": 5}}},          True),
    "a repeat":                 ({"sources": {"a": {"repeat": 1.5}}},          True),
    "a cap per category":       ({"max_rows_per_category": 5},                 True),
    "a balance":                (shares(en=0.4, zh=0.6),                       True),
}
# fmt: on


@pytest.mark.parametrize(("sampling", "is_on"), ON.values(), ids=ON)
def test_sampling_is_on_where_it_takes_anything_but_every_row_once(
    sampling: dict[str, Any], is_on: bool
) -> None:
    assert Sampling.from_mapping(sampling, "r").is_on is is_on
    same = corpus_part(recipe_of("a")) == corpus_part(recipe_of("a", sampling=sampling))
    assert same is not is_on


def test_shares_of_a_third_are_one_whole() -> None:
    assert Sampling.from_mapping(shares(en=0.333, zh=0.333, fr=0.333), "r").is_on


def test_a_stored_sampling_is_read_again() -> None:
    given = {"sources": {"a": {"fraction": 0.5}}, "max_rows_per_category": 3, **shares(en=1)}
    sampling = Sampling.from_mapping(given, "r")
    assert Sampling.model_validate_json(sampling.model_dump_json()) == sampling
    assert sampling.model_dump(mode="json")["sources"]["a"]["fraction"] == 0.5


def test_values_without_a_name_are_called_as_in_the_report() -> None:
    assert set(NAMELESS.values()) == {composition.UNKNOWN_LANGUAGE, composition.NO_CATEGORY}
    assert composition.OTHER == OTHER
