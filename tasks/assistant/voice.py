"""Whose words a response holds: its own, or a character's, a quoted person's, a user's text."""

import polars as pl

from tasks.assistant.patterns import either

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
SPEAKER = (
    r"[-*#>\s]*(?:[A-HJ-Z[\p{Han}--我]][\p{L}\d.'’_-]{0,11}|I[\p{L}\d]{1,11})"
    r"(?: [\p{L}\d.'’_-]{1,11}){0,2}[*_]*\s*[:：]"
)
ANSWER_LABEL = (
    r"(?mi)^[\s*_#]*(?:(?:in|for|the|here|so|as|to|well|yes|no)(?-u:\b)[^:：\n]{0,30}|answer"
    r"|response|output|reply|note|回答|答|回复|输出|注意|注"
    r"|(?:尊敬|亲爱)的[^：:\n，。]{0,16})[*_]*\s*[:：]"
)
LABELLED_LINE = rf"(?m)^{SPEAKER}[^\n]*"
SUPPOSED = (
    r"(?i)\b(?:if|whether|pretend(?:ing)?|imagine|suppose|think|thinks|thought|believes?|says?"
    r"|said|what if)(?: that)? (?:i am|i['’]m|i was|i were|i be)\b"
    r"|(?:如果|假如|假设|要是|是不是|以为|认为|觉得|说|问|想象)(?:我是(?:不是)?|我叫)|我是不是"
    r"|除非我是"
)


def own_voice(text: pl.Expr) -> pl.Expr:
    """What the text says for itself: no code, quotations, labelled speakers or suppositions."""
    return (
        text.str.replace_all(QUOTED, " | ")
        .str.replace_all(ANSWER_LABEL, "")
        .str.replace_all(LABELLED_LINE, "|")
        .str.replace_all(SUPPOSED, "|")
    )


# What the user asks to be done with a text of his own, or in another's name.
REWORKS = (
    r"(?i)\b(?:translat\w+|correct|fix|rewrite|rephrase|paraphrase|reword|convert|proofread|edit"
    r"|extract|grammar|passive|negative|change|turn|classify|summari[sz]e|punctuat\w+|modify"
    r"|rearrange"
    r"|remove|delete|replace|reorder|restate|synonyms?|formal|identify|improve|shorten|transform)\b"
    r"|翻译|译成|改写|改正|改成|改得|修改|润色|病句|缩写|扩写|续写|提取|概括|纠正|语法|变成|改为"
    r"|换成|语气|判断|分类|重新排列|重排|替换|删除|去掉|更正式|转换"
)
PLAYS = (
    r"(?i)\b(?:act as|acting as|pretend|role-?play\w*|play the role|impersonate|in the voice of"
    r"|speak as|answer as|write as|imagine (?:that )?you)\b"
    r"|扮演|假装|角色|模仿|以.{1,12}的(?:身份|口吻)"
)
COMPOSES = (
    r"(?i)\b(?:write|compose|draft|create|generate|invent|make up|(?:continue|complete) (?:this"
    r"|the|my) (?:story|text|dialogue|poem|song|sentence"
    r"|paragraph|letter|scene)|role-?play\w*"
    r"|act as|pretend|speak as|answer as|excuse|phrase|give me an example|how (?:do|can|should"
    r"|to) (?:i |we |you )?"
    r"(?:politely |kindly )?(?:say|tell|refuse|reply|respond|decline|answer|apologi[sz]e)"
    r"|what (?:can|should|could) i|use .{1,40} in a sentence)\b"
    r"|写|编|造句|朗诵|借口|响应|回应|扮演|假设|假装|续|拟|起草|如何|怎么回复|怎样回复|怎么说|台词"
)
MATERIAL = r"[:：\n\"“「『]"


def reworks_a_text(question: pl.Expr) -> pl.Expr:
    """The user hands over a text to be translated, mended, shortened, judged."""
    return question.str.contains(REWORKS) & question.str.contains(MATERIAL)


def plays_a_role(question: pl.Expr) -> pl.Expr:
    """The user asks for an answer in somebody else's person."""
    return question.str.contains(PLAYS)


def composes(question: pl.Expr) -> pl.Expr:
    """The user asks for a text that others will say or write: a letter, a scene, an excuse."""
    return question.str.contains(COMPOSES)
