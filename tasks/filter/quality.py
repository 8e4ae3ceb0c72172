"""The rules on the quality of instruction data, one after another."""

from schemas.quality import Quality
from tasks.filter.evidence import Rules
from tasks.filter.hollow import (
    no_content_rules,
    ratio_rules,
    repeated_prompt_rules,
    template_rules,
)
from tasks.filter.marks import fence_rules, symbol_rules
from tasks.filter.references import attachment_rules, url_rules
from tasks.filter.repetition import line_rules, ngram_rules, run_rules
from tasks.filter.truncation import truncation_rules


def quality_rules(quality: Quality) -> Rules:
    """The quality rules that the recipe switches on."""
    return {
        **no_content_rules(quality.no_content),
        **repeated_prompt_rules(quality.prompt_repeated),
        **run_rules(quality.character_run),
        **line_rules(quality.repeated_lines),
        **ngram_rules(quality.repeated_ngrams),
        **symbol_rules(quality.symbols),
        **fence_rules(quality.broken_fence),
        **truncation_rules(quality.truncation),
        **template_rules(quality.unfinished_template),
        **url_rules(quality.unopened_url),
        **attachment_rules(quality.missing_attachment),
        **ratio_rules(quality.length_ratio),
    }
