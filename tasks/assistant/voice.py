"""Whose words a response holds: its own, or a character's, a quoted person's."""

import polars as pl

from tasks.assistant.patterns import any_of, either

# What a response quotes, shows or supposes, each with the reason why it is not its own claim.
QUOTED = either(r"""
    ```[\s\S]*?(?:```|$)
    `[^`\n]*`
    “[^”\n]*”
    "[^"\n]*"
    「[^」]*」
    『[^』]*』
    «[^»]*»
    (?:^|[\s(=:,\[])'(?:[^'\n]|[a-z]'[a-z])+'
""")
# A name of one to three words and a colon; "I am ChatGPT: ..." is no speaker.
LETTER = r"[^\s:：,，.。;；!！?？()（）|]"
SPEAKER = (
    rf"[-*#>\s]*(?:[A-HJ-Z[\p{{Han}}--我]]{LETTER}{{0,11}}|I{LETTER}{{1,11}})"
    rf"(?: {LETTER}{{1,11}}){{0,2}}[*_]*\s*[:：]"
)
LABELS = either("""
    answer|response|output|reply|note|error|warning|错误|警告|提示|再说一[遍次]|再说|重复一遍|总之
    \\w* ?(?:generation|information|version)|简单(?:来)?说|一句话|更正|声明|回答|答|回复
    输出|注意|注
    (?:尊敬|亲爱)的[^：:\n，。]{0,16}
    (?:in|for|the|here|so|as|to|well|yes|no|not|sure)(?-u:\\b)[^:：\n]{0,30}
    (?:certainly|of course|ok|okay|good|thanks)(?-u:\\b)[^:：\n]{0,30}
""")
ANSWER_LABEL = rf"(?mi)^[\s*_#]*{LABELS}[*_]*\s*[:：]"
LABELLED_LINE = rf"(?m)^{SPEAKER}[^\n]*"
SUPPOSED = any_of(
    [
        r"\b(?:pretend|imagine|suppose)(?: that)? (?:i|you) (?:am|was|were|are|be)\b[^.;!?\n|]*",
        (
            r"\b(?:if|whether|pretend(?:ing)?|imagine|suppose|think|thinks|thought|believes?|says?|said"
            r"|what if)(?: that)? (?:i am|i['’]m|i was|i were|i be|you are|you['’]re"
            r"|you were)\b[^,.;!?\n|]*"
        ),
    ]
)
SUPPOSED_IN_CHINESE = (
    r"(?:如果|假如|假设|要是|是不是|以为|认为|觉得|说|问|想象|除非)(?:我是(?:不是)?|我叫"
    r"|你是)[^，。；！？\n|]*"
    r"|我是不是[^，。；！？\n|]*"
)
SALUTES = any_of(
    [r"^\W*(?:dear|hi|hey|hello) [\w .]{1,30}[,!]", r"^\s*(?:亲爱的|尊敬的|敬爱的|各位)"]
)
VERSE = r"^(?:[^\n]{2,50}\n+){2}[^\n]{2,50}(?:\n|$)"


def own_voice(text: pl.Expr) -> pl.Expr:
    """What the text says for itself: no code, quotations, labelled speakers or suppositions."""
    return (
        text.str.replace_all(QUOTED, " | ")
        .str.replace_all(ANSWER_LABEL, "")
        .str.replace_all(LABELLED_LINE, "|")
        .str.replace_all(SUPPOSED, "|")
        .str.replace_all(SUPPOSED_IN_CHINESE, "|")
    )


def is_letter_or_verse(response: pl.Expr) -> pl.Expr:
    """The response opens as a letter does, or has the lines of a poem."""
    return response.str.contains(SALUTES) | response.str.contains(VERSE)
