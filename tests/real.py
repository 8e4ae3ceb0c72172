"""Where the real corpora are, for tests and benchmarks that run on them."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
ROOT = SHARED / "corpora"
EVALUATIONS = SHARED / "evaluations"
RECIPE = "alpaca-belle-cot"
REASON = f"the real corpora are not at {ROOT}"

# fmt: off
COPIES = {  #                source                          its files
    "alpaca":                   "alpaca",
    "alpaca_zh_carbonz0":       "alpaca_zh_carbonz0",
    "alpaca_zh_hikariming":     "alpaca_zh_hikariming",
    "flan_cot":                 "flan_cot",
    "llama_factory_alpaca_en":  "llama_factory/alpaca_en_demo.json",
    "llama_factory_alpaca_zh":  "llama_factory/alpaca_zh_demo.json",
    "llama_factory_glaive_en":  "llama_factory/glaive_toolcall_en_demo.json",
    "llama_factory_glaive_zh":  "llama_factory/glaive_toolcall_zh_demo.json",
    "llama_factory_v1_sft":     "llama_factory/v1_sft_demo.jsonl",
    "llama_factory_identity":   "llama_factory/identity.json",
    "pubmedqa":                 "pubmedqa/ori_pqal.json",
    "medmcqa":                  "medmcqa/medmcqa_dev.json",
    "medqa_usmle":              "medmcqa/medqa_us_4opt_test.jsonl",
    "gpteacher_codegen":        "gpteacher/codegen-instruct.json",
}
SETS = {
    "gsm8k":                    "gsm8k_test.jsonl",
    "humaneval":                "HumanEval.jsonl.gz",
}
# fmt: on


def missing() -> bool:
    """Whether there are no real corpora beside this checkout."""
    return not ROOT.is_dir()


def local() -> dict[str, str]:
    """Source and evaluation set names with the local copies that stand in for them."""
    sources = {name: str(ROOT / path) for name, path in COPIES.items()}
    return sources | {name: str(EVALUATIONS / path) for name, path in SETS.items()}


def copies() -> list[str]:
    """The same as options of `winnow refresh`."""
    return [word for name, path in local().items() for word in ("--from", f"{name}={path}")]
