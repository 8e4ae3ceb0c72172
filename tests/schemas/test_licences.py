"""Licences: what an expression means, what is known of its parts, and what a recipe makes of it."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from schemas.errors import ConfigError, UnknownName
from schemas.licences import (
    TERMS,
    UNKNOWN,
    Licences,
    canonical,
    checked_licence,
    holds,
    names_in,
    postfix,
    terms_of,
)
from schemas.recipe import known_sources, load_recipe

# fmt: off
SPELLINGS = {  #                stated                                              SPDX
    "as it is":                ("Apache-2.0",                                       "Apache-2.0"),
    "in another case":         ("apache-2.0",                                       "Apache-2.0"),
    "with spaces":             (" CC BY-NC  4.0",                                   "CC-BY-NC-4.0"),
    "the Hub's":               ("odc-by",                                           "ODC-By-1.0"),
    "a former name":           ("GPL-3.0",                                          "GPL-3.0-only"),
    "a former name, or later": ("gpl-3.0+",                                         "GPL-3.0-or-later"),
    "its address":             ("https://creativecommons.org/licenses/by-nc-sa/3.0/", "CC-BY-NC-SA-3.0"),
    "with a language":         ("http://creativecommons.org/licenses/by/4.0/deed.de", "CC-BY-4.0"),
    "public domain":           ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
    "nobody's":                ("LicenseRef-Ours",                                  "LicenseRef-Ours"),
    "prose":                   ("free for research",                                "free for research"),
}
COMMERCIAL = {  #               licence                                      allowed
    "free":                    ("MIT",                                       True),
    "share-alike":             ("CC-BY-SA-3.0",                              True),
    "copyleft":                ("GPL-3.0-only",                              True),
    "non-commercial":          ("CC-BY-NC-4.0",                              False),
    "unknown":                 ("unknown",                                   False),
    "nothing known":           ("LicenseRef-Ours",                           False),
    "of SPDX, not of ours":    ("Sleepycat",                                 False),
    "prose":                   ("free for research",                         False),
    "empty":                   ("",                                          False),
    "a choice":                ("CC-BY-NC-4.0 OR MIT",                       True),
    "no choice":               ("CC-BY-NC-4.0 OR unknown",                   False),
    "both":                    ("MIT AND CC-BY-NC-4.0",                      False),
    "both free":               ("mit and Apache-2.0",                        True),
    "AND binds closer":        ("MIT OR MIT AND CC-BY-NC-4.0",               True),
    "parentheses":             ("(MIT OR MIT) AND CC-BY-NC-4.0",             False),
    "an exception":            ("GPL-2.0-only WITH Classpath-exception-2.0", True),
    "an exception that takes": ("Apache-2.0 WITH Commons-Clause",            False),
    "an exception of nothing": ("(MIT OR GPL-2.0-only) WITH Foo",            False),
    "or later":                ("EPL-1.0+",                                  True),
    "open parenthesis":        ("(MIT",                                      False),
    "closed before opened":    (")MIT(",                                     False),
    "no second operand":       ("MIT OR",                                    False),
    "no operator":             ("MIT Apache-2.0",                            False),
    "nothing in parentheses":  ("MIT OR ()",                                 False),
    "signs between":           ("MIT; OR MIT",                               False),
}
# fmt: on


@pytest.mark.parametrize(("stated", "spdx"), SPELLINGS.values(), ids=SPELLINGS)
def test_one_licence_has_one_name(stated, spdx):
    assert canonical(stated) == spdx


@pytest.mark.parametrize(("licence", "allowed"), COMMERCIAL.values(), ids=COMMERCIAL)
def test_commercial_use_is_allowed_only_where_it_is_known_to_be(licence, allowed):
    assert (Licences(commercial=True).refusal(licence) is None) == allowed


@pytest.mark.parametrize("name", TERMS)
def test_every_licence_of_the_table_is_called_as_spdx_calls_it(name):
    assert canonicalize_license_expression(name) == name
    assert canonical(name.lower()) == name


def test_creative_commons_names_are_their_terms():
    found = {name: terms_of(name) for name in ("CC-BY-4.0", "CC-BY-NC-SA-2.0", "CC-BY-ND-4.0")}
    assert [(one.commercial, one.share_alike, one.changes, one.hub) for one in found.values()] == [
        (True, False, True, "cc-by-4.0"),
        (False, True, True, "cc-by-nc-sa-2.0"),
        (True, False, False, "cc-by-nd-4.0"),
    ]


NAMES = st.sampled_from(
    ["MIT", "CC-BY-NC-4.0", "LicenseRef-a", "GPL-2.0-only WITH GCC-exception-3.1"]
)
EXPRESSIONS = st.recursive(
    NAMES, lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner)
)


def written(tree) -> str:
    return tree if isinstance(tree, str) else f"({written(tree[0])} {tree[1]} {written(tree[2])})"


def met(tree, wanted) -> bool:
    if isinstance(tree, str):
        return wanted(tree)
    left, right = met(tree[0], wanted), met(tree[2], wanted)
    return left and right if tree[1] == "AND" else left or right


@given(EXPRESSIONS, st.sets(NAMES))
def test_an_expression_means_what_its_tree_means(tree, wanted):
    text = written(tree)
    if len(text) <= 300:
        assert holds(text, wanted.__contains__) == met(tree, wanted.__contains__)


@pytest.mark.parametrize("text", ["AND", "OR", "or", "(", ")", "()", "AND OR", ""])
def test_an_operator_alone_is_a_name_like_any_other(text):
    assert len(names_in(text)) == 1
    assert not holds(text, {"MIT"}.__contains__)
    assert holds(text, set(names_in(text)).__contains__)


@given(st.text(max_size=400))
def test_any_text_of_a_row_is_judged(text):
    assert names_in(text)
    Licences(commercial=True, deny=("CC-BY-NC-*",)).refusal(text)


def test_a_text_of_parentheses_takes_no_time_and_no_stack():
    began = time.process_time()
    assert postfix("(" * 1_000_000) == ("(" * 1_000_000,)
    deep = "(" * 140 + "MIT" + ")" * 140
    assert postfix(deep) == ("MIT",)
    assert time.process_time() - began < 1


def test_a_text_longer_than_any_expression_is_prose():
    longest = "MIT OR " * 42 + "  0BSD"
    assert (len(longest), "OR" in postfix(longest)) == (300, True)
    assert postfix(f"{longest} OR MIT") == (" ".join(f"{longest} OR MIT".split()),)


# fmt: off
RULES = {  #                   rules                                              licence               refused because
    "nothing said":           ({},                                                "unknown",            None),
    "allowed":                ({"allow": ["MIT", "CC0-1.0"]},                     "mit",                None),
    "not allowed":            ({"allow": ["MIT"]},                                "CC0-1.0",            "CC0-1.0 is not among those allowed"),
    "allowed by pattern":     ({"allow": ["CC-BY-*"]},                            "CC-BY-SA-4.0",       None),
    "not by pattern":         ({"allow": ["CC-BY-*"]},                            "CC0-1.0",            "CC0-1.0 is not among those allowed"),
    "unknown allowed":        ({"allow": ["unknown"]},                            "unknown",            None),
    "denied":                 ({"deny": ["GPL-3.0"]},                             "GPL-3.0-only",       "GPL-3.0-only is denied"),
    "denied by pattern":      ({"deny": ["*-NC-*"]},                              "cc-by-nc-4.0",       "CC-BY-NC-4.0 is denied"),
    "deny wins":              ({"allow": ["MIT"], "deny": ["MIT"]},               "MIT",                "MIT is denied"),
    "denied, but a choice":   ({"deny": ["GPL-*"]},                               "GPL-3.0-only OR MIT", None),
    "denied with exception":  ({"deny": ["GPL-2.0-only"]},                        "GPL-2.0-only WITH Classpath-exception-2.0",
                                                                                                        "GPL-2.0-only WITH Classpath-exception-2.0 is denied"),
    "not denied":             ({"deny": ["GPL-*"]},                               "unknown",            None),
    "commercial":             ({"commercial": True},                              "CC-BY-NC-4.0",       "CC-BY-NC-4.0 forbids commercial use"),
    "commercial, unknown":    ({"commercial": True},                              "unknown",            "no licence is known"),
    "commercial, not known":  ({"commercial": True},                              "LicenseRef-Ours",    "LicenseRef-Ours is not known to allow commercial use"),
    "cleared":                ({"commercial": True, "cleared": ["LicenseRef-Ours"]}, "LicenseRef-Ours", None),
    "cleared, not allowed":   ({"allow": ["MIT"], "commercial": True, "cleared": ["LicenseRef-Ours"]},
                                                                                  "LicenseRef-Ours",    "LicenseRef-Ours is not among those allowed"),
    "allowed, not commercial": ({"allow": ["CC-BY-NC-4.0"], "commercial": True},  "CC-BY-NC-4.0",       "CC-BY-NC-4.0 forbids commercial use"),
}
MISTAKES = {  #                rules                             said
    "allow, mistyped":        ({"allow": ["Apachee-2.0"]},       r"allow: 'Apachee-2.0' is no SPDX identifier; did you mean 'Apache-2.0'"),
    "deny, mistyped":         ({"deny": ["CC-BY-NC-4"]},         r"deny: 'CC-BY-NC-4' is no SPDX identifier; did you mean 'CC-BY-NC-4.0'"),
    "cleared, forbids":       ({"cleared": ["CC-BY-NC-4.0"]},    r"cleared: 'CC-BY-NC-4.0' forbids commercial use"),
    "cleared, everything":    ({"cleared": ["*"]},               r"cleared: '\*' forbids commercial use"),
    "a key":                  ({"allowed": ["MIT"]},             r"did you mean 'allow'"),
}
# fmt: on


@pytest.mark.parametrize(("rules", "licence", "reason"), RULES.values(), ids=RULES)
def test_a_licence_is_refused_for_a_reason(rules, licence, reason):
    assert Licences.from_mapping(rules, "here").refusal(licence) == reason


@pytest.mark.parametrize(("rules", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_rules_is_named(rules, said):
    with pytest.raises(ConfigError, match=said):
        Licences.from_mapping(rules, "here")


# fmt: off
STATED = {  #             licence                    fits
    "an identifier":     ("MIT",                     True),
    "an expression":     ("MIT OR (CC0-1.0 AND ISC)", True),
    "unknown":           ("unknown",                 True),
    "ours":              ("LicenseRef-Ours",         True),
    "a typo":            ("Apache2",                 False),
    "half an expression": ("MIT OR",                 False),
    "empty":             ("",                        False),
}
# fmt: on


@pytest.mark.parametrize(("licence", "fits"), STATED.values(), ids=STATED)
def test_a_source_states_a_licence_that_exists(licence, fits):
    if fits:
        assert checked_licence(licence) == licence
    else:
        with pytest.raises(ValueError, match="is no SPDX identifier"):
            checked_licence(licence)


def test_what_is_known_covers_every_source_that_ships():
    stated = {name for source in known_sources() for name in names_in(source.licence)}
    assert {name for name in stated if terms_of(name) is None} == {UNKNOWN}


# --- recipes -------------------------------------------------------------------------------------


def recipe(tmp_path, licences, *sources):
    entries = [
        {"name": name, "layout": "alpaca", "licence": licence, "local": {"path": "x.json"}}
        for name, licence in sources
    ]
    path = tmp_path / "recipe.yaml"
    parts = {"name": "small", "sources": entries, "filter": {"licences": licences}}
    path.write_text(yaml.safe_dump(parts))
    return str(path)


def test_a_commercial_recipe_with_sources_that_forbid_it_names_them_and_what_to_do(tmp_path):
    path = recipe(
        tmp_path, {"commercial": True}, ("a", "MIT"), ("b", "CC-BY-NC-4.0"), ("c", "unknown")
    )
    with pytest.raises(ConfigError) as caught:
        load_recipe(path)
    assert str(caught.value).splitlines()[:3] == [
        "recipe 'small': filter.licences does not let these sources in:",
        "  b: CC-BY-NC-4.0 forbids commercial use",
        "  c: no licence is known",
    ]
    assert "filter.licences.cleared" in str(caught.value)


def test_a_source_whose_rows_state_their_licences_is_not_refused_as_a_whole(tmp_path):
    licences = {"commercial": True, "by_row": ["b"]}
    assert load_recipe(recipe(tmp_path, licences, ("a", "MIT"), ("b", "unknown")))


def test_a_source_that_is_not_there_cannot_be_judged_by_row(tmp_path):
    with pytest.raises(UnknownName, match="no source of recipe 'small' is called 'x'"):
        load_recipe(recipe(tmp_path, {"by_row": ["x"]}, ("a", "MIT")))


def test_a_source_under_another_licence_is_let_in_once_that_is_cleared(tmp_path):
    path = tmp_path / "heir.yaml"
    recipe(tmp_path, {}, ("a", "MIT"), ("b", "CC-BY-NC-4.0"))
    changed = {"source": "b", "licence": "LicenseRef-Bought"}
    rules = {"commercial": True, "cleared": ["LicenseRef-Bought"]}
    heir = {"name": "heir", "extends": "recipe.yaml", "sources": [changed]}
    path.write_text(yaml.safe_dump(heir | {"filter": {"licences": rules}}))
    assert load_recipe(str(path)).source("b").licence == "LicenseRef-Bought"


def test_an_heir_without_a_source_does_not_speak_of_its_rows(tmp_path):
    recipe(tmp_path, {"by_row": ["a", "b"]}, ("a", "MIT"), ("b", "unknown"))
    path = tmp_path / "heir.yaml"
    path.write_text(yaml.safe_dump({"name": "heir", "extends": "recipe.yaml", "without": ["b"]}))
    assert load_recipe(str(path)).filter.licences.by_row == ("a",)
