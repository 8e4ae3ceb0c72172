"""What a sentence of a refusal may say, in the words of each language."""

from typing import NamedTuple

import polars as pl

from tasks.assistant import chinese, english
from tasks.assistant import chinese_refusals as zh
from tasks.assistant import english_refusals as en
from tasks.assistant.patterns import any_of, first_of

Phrases = tuple[str, ...]


class Words(NamedTuple):
    """Regular expressions by what a sentence says that one of them is in."""

    missing: Phrases  # nothing was given to work on, or the task is none for a model
    flat: Phrases  # refuses in words that only an assistant uses
    flatly: Phrases  # "Absolutely not"
    plain: Phrases  # refuses in words that people use too
    denies: Phrases  # speaks of itself and says no, in whatever words
    as_ai: Phrases  # says no, of whoever it has just said that he is an AI
    of_its_kind: Phrases  # says no of all its kind: "Machines do not ..."
    speaks_as_ai: Phrases
    regret: Phrases
    harm: Phrases
    condemns: Phrases  # calls what was asked for a harm
    negates: Phrases


READINGS = Words._fields
ENGLISH = Words(
    missing=(*en.MISSING.values(), *en.TASK.values()),
    flat=tuple(en.FLAT.values()),
    flatly=(en.FLATLY,),
    plain=tuple(en.PLAIN.values()),
    denies=tuple(en.DENIES.values()),
    as_ai=(en.AS_AI,),
    of_its_kind=(en.OF_ITS_KIND,),
    speaks_as_ai=(en.SPEAKS_AS_AI,),
    regret=(en.REGRET,),
    harm=(en.HARM,),
    condemns=(en.CONDEMNS,),
    negates=(rf"\b{en.NEGATION}\b",),
)
CHINESE = Words(
    missing=(*zh.MISSING.values(), *zh.TASK.values()),
    flat=tuple(zh.FLAT.values()),
    flatly=(zh.FLATLY,),
    plain=tuple(zh.PLAIN.values()),
    denies=tuple(zh.DENIES.values()),
    as_ai=(zh.AS_AI,),
    of_its_kind=(zh.OF_ITS_KIND,),
    speaks_as_ai=(zh.SPEAKS_AS_AI,),
    regret=(zh.REGRET,),
    harm=(zh.HARM,),
    condemns=(zh.CONDEMNS,),
    negates=(zh.NEGATION,),
)
IDIOM = any_of([en.IDIOMS, zh.IDIOMS])
TURN = any_of([rf"(?:,|;|:|–|—|-)*\s+{en.TURN}", rf"(?:，|,|；)?\s*{zh.TURN}"])
TURNS = any_of([rf"^(?:,|;|:|–|—|-|\s|，|；)*(?:{en.TURN}|{zh.TURN})"])
# Advice to ask elsewhere: an English sentence, a Chinese clause.
ADVICE = any_of(
    [rf"[^|]*(?:{en.ADVICE})[^|]*", rf"[^，。；！？|,]*(?:{zh.ADVICE})[^，。；！？|,]*"]
)
# Who it is, said after the words of a refusal: that was asked, and is told.
NAMES_ITSELF = (
    *(english.SAYS_OF_ITSELF, english.NAMES_ITSELF, english.MAKES),
    *(chinese.SAYS_OF_ITSELF, chinese.NAMES_ITSELF, chinese.MAKES),
    any_of([rf"{english.MY_MAKER}[^.!?|]*?\b{english.MAKERS}\b|\bas {english.MODELS}\b"]),
)
NAMED = any_of([english.NAMED, chinese.NAMED])
# One of these is in the opening of every refusal; they are looked for all at once (Aho-Corasick).
PARTS = [
    *("cannot", "can't", "can’t", "cant ", "can not", "unable", "not able", "won't", "won’t"),
    *("will not", "do not", "don't", "don’t", "sorry", "apologi", "apolog", "unfortunately"),
    *("decline", "refus", "not appropriate", "inappropriate", "an ai", "i lack", "against my"),
    *("not possible", "have no", "incapable", "not capable", "i'm not", "never", "am not"),
    *("i’m not", "afraid", "did not", "didn't", "didn’t", "no output", "nooutput", "have not"),
    *(
        "haven't",
        "haven’t",
        "n/a",
        "forgot",
        "need the",
        "need your",
        "rather not",
        "no way",
        "no can",
        "absolutely not",
    ),
    *("isn't", "isn’t", "aren't", "aren’t", "is not", "are not", "beyond my", "beyond me"),
    *("beyond what", "outside my", "outside of my", "outside what", "outside of what", "neutral"),
    *("my guideline", "our guideline", "my polic", "missing", "without the", "wasn't", "provided"),
    *("see no", "couldn't", "couldn’t", "could not", "wouldn't", "wouldn’t", "would not"),
    *("not be", "doesn't", "doesn’t", "only answer", "only help", "nobody", "limited to"),
    *("not something", "no idea", "the task", "this task", "there is no", "there are no"),
    *("无法", "不能", "不会", "没有", "没法", "不具备", "不便", "抱歉", "对不起", "不好意思"),
    *("拒绝", "建议您", "更新到", "需要先", "不了解", "不知道", "未提供", "附上", "未能", "不完整"),
    *("无输出", "不支持", "恕", "不可以", "看不", "不需要", "从未", "遗憾", "不太", "不清楚"),
    *("不方便", "听不", "没太", "没听", "没看", "帮不", "唱不", "不认识", "不愿", "不适合"),
    *("不宜", "打不开", "不到", "不了", "不出", "不上", "谈不上", "无缘", "无从", "不予"),
    *("不发表", "不行", "换个", "忘", "难以", "没人", "违反", "不吃", "不懂", "中立", "不站队"),
    *("不持", "不用", "不参与", "不提供", "未给", "缺", "不拥有", "不存在", "不记得", "没能"),
    *("没给", "没办法", "無法", "沒有", "不會", "沒辦法"),
]
# Of whom and of what a refusal speaks: in the opening of each, beside one of `PARTS`.
CONCERNS = any_of(
    [
        (
            r"\b(?:i|im|me|my|you|your|(?:no)?output|instructions?|tasks?|requests?|ais?|machines|models?"
            r"|chat-?bots?|provided|given|missing|attached|included|pasted|there|absolutely|nope|n/a"
            r"|not possible|supported|let['’]?s|only an?)\b|^\W*(?:sorry|unable|can|this|not|no)\b"
        ),
        r"(?u:\p{Han})",
    ]
)
# One of these is in the opening of every refusal that is short.
SHORT_PARTS = [
    *(" not ", "n't ", "n’t ", " no ", "no, ", " none", "nothing", "neither", "unknown"),
    *("hidden", "foreign", "impossible", "only a", "pass on", "stay out", "turn down"),
    *("let's stop", "out of", "to me", "for me"),
    *(
        "我不",
        "我没",
        "我可",
        "我并",
        "我还",
        "我也",
        "我这",
        "我暂",
        "我都",
        "我得",
        "不由",
        "够不",
    ),
    *("不归", "不该", "没把", "没贴", "没发", "没学", "没明", "不敢", "不晓", "只有医", "到此"),
    *("算了", "做不", "我既", "我是", "我由"),
]
# One of these is in every sentence that refuses, or bears on one that does.
HINTS = [
    *(
        "n't",
        "n’t",
        "cant",
        "wont",
        "dont",
        " not",
        "not ",
        "no ",
        "none",
        "never",
        "nothing",
        "nobody",
    ),
    *(
        "cannot",
        "neither",
        "nor ",
        "nope",
        "unable",
        "refus",
        "declin",
        "sorry",
        "apolog",
        "afraid",
    ),
    *("unfortun", "regret", "alas", "lack", "incapab", "forbid", "prohibit", "limited", "restrict"),
    *("without", "beyond", "outside", "out of", "unknown", "hidden", "foreign", "impossible"),
    *("unavailab", "unfamiliar", "violat", "against", "breach", "inappropriate", "unethical"),
    *(
        "neutral",
        "impartial",
        "missing",
        "forgot",
        "blank",
        "empty",
        "cut off",
        "left out",
        "output",
    ),
    *("n/a", "task", "instruction", "request", "only", "rather", "pass", "skip", "stay out"),
    *(
        "turn ",
        " need ",
        "let's",
        "let’s",
        "more information",
        "more context",
        "more details",
        " ai",
        "ai ",
    ),
    *(
        "ai,",
        "ai.",
        "a.i.",
        "artificial",
        "model",
        "bot",
        "program",
        "software",
        "machine",
        "robot",
    ),
    *("assistant", "algorithm", "code", "illegal", "unlawful", "crim", "immoral", "harm"),
    *("danger", "violen", "hate", "racis", "sexis", "fraud", "abus", "wrong", "steal", "theft"),
    *(
        "不",
        "没",
        "无",
        "未",
        "恕",
        "拒",
        "难",
        "忘",
        "漏",
        "缺",
        "中立",
        "话题",
        "只",
        "违",
        "算了",
    ),
    *("到此", "别的", "需要", "抱歉", "歉", "遗憾", "回绝", "谢绝", "哪来", "哪有", "人工智能"),
    *("人工智慧", "模型", "机器", "程序", "助手", "助理", "虚拟", "软件", "代码", "算法", "客服"),
    *(
        "犯罪",
        "犯法",
        "违法",
        "有害",
        "危险",
        "非法",
        "伤害",
        "暴力",
        "诈骗",
        "歧视",
        "作弊",
        "毒品",
    ),
]


def said(sentence: pl.Expr, phrases: Phrases) -> pl.Expr:
    """The words of the first phrase that is in the sentence; null where none is."""
    return first_of(sentence, phrases)
