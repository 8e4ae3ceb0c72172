"""Responses that say nothing: announcements, stand-ins, gaps left open, the question again."""

import polars as pl

from schemas.quality import LengthRatio, NoContent, PromptRepeated, UnfinishedTemplate
from schemas.reasons import DropReason
from tasks.assistant.patterns import either
from tasks.assistant.suspects import of_suspects
from tasks.filter.evidence import Evidence, Rules, matched
from tasks.filter.genre import holds_code

# --- Answers without content ------------------------------------------------------------------

_THING = either(r"""
    images?|pictures?|photos?|graphs?|charts?|drawings?|diagrams?|logos?|posters?|videos?|audio
    songs?|melod(?:y|ies)|music(?:al)?|illustrations?|sketch(?:es)?|screenshots?|files?|documents?
    links?|infographics?|flow ?charts?|cartoons?|comics?|memes?|sheet|puzzle|piece|design|table|map
""")
_THING_ZH = either("""
    图像|图片|照片|图表|图|徽标|标志|海报|视频|音频|歌曲|旋律|音乐|插图|草图|截图|文件|文档|链接|流程图
    漫画|表情包|曲谱|乐谱|设计|图形
""")
STAND_INS = {
    # <nooutput>, [No Output], 无输出
    "no output": (
        r"(?i:[<\[({`*\"]*\s*(?:no|without)[\s_-]*(?:in|out)put"
        r"(?: (?:required|needed|provided|given))?\s*[>\])}`*\".]*)"
        r"|[<\[({（《【]?\s*(?:无|没有|暂无|空)\s*(?:输入|输出|内容|回答|答案)\s*[>\])}）》】。.]*"
    ),
    # [Insert chart here], (Output image), <插入流程图>, [图片]
    "a thing's place": (
        rf"[<\[(（【](?i:insert|attach|output|see|add|include)[^<>\[\]()（）【】\n]*[>\])）】]"
        rf"|[<\[(（【][^<>\[\]()（）【】\n]{{0,30}}(?i:\b{_THING}"
        rf"(?: (?:attached|included|here|goes here|provided|omitted|arranged))?)[>\])）】]"
        rf"|[<\[(（【](?:插入|附上|附加|附|此处|这里)[^<>\[\]()（）【】\n]*[>\])）】]"
        rf"|[<\[(（【][^<>\[\]()（）【】\n]{{0,20}}{_THING_ZH}[>\])）】]"
    ),
}
ANNOUNCEMENTS = {
    # Sure! Here is the answer: | 好的，以下是答案：
    "will answer": (
        r"(?i:(?:sure|of course|certainly|absolutely|okay|ok|yes)?[,.! ]*"
        r"(?:here(?:'s| is| are| you go)|the (?:answer|response|output|result)s?(?: is| are)?"
        r"|below (?:is|are)|(?:answer|response|output|result))[^:\n.!?]{0,40}(?:[:：]|…|\.\.\.))"
        r"|(?:好的|当然|当然可以|没问题)?[，,。！! ]*"
        r"(?:以下是|下面是|答案是|答案|回答|输出|结果)[^：:\n，。]{0,16}[:：]"
    ),
    "agrees": (
        r"(?i:sure|sure thing|of course|certainly|absolutely|no problem|will do|i can do that"
        r"|got it|understood|noted"
        r"|sure[,.!]? (?:i can help(?: you)?(?: with that)?|no problem|thing))[.!~… ]*"
        r"|(?:好的?|当然|当然可以|没问题|可以的|好吧|收到|明白了?|知道了|嗯+)[。！!~…，,呀啊哦 ]+"
    ),
}
_DOTS = r"[\s.…·。,，、!！?？*_~`#-]{1,10}|[\s.…·。]+"
_NOT_APPLICABLE = r"(?i:n[/.]a\.?)|不适用。?"
_FINAL_MARKS = " ?!.:;？！。：；"
# A question that may be answered by a nod, with nothing, or with a quotation of such words.
_NOD = (
    r"(?i:\?\s*$|please|remind|remember|note that|thank|could you|can you|will you|let'?s|morse"
    r"|ascii|punctuation|translate|ellipsis|censor|redact|replace|symbol)|[？吗呢吧]\s*$|记住|翻译|标点|省略|符号|谢|请|替换"
)
_MAY_PRINT_NOTHING = (
    r"(?i:what (?:is|are|will|would|does)\b[^\n]*\b(?:output|print|return))|输出(?:什么|是|结果)"
)
_MAY_BE_NOTHING = (
    r"(?i:n/a|not applicable|\bif\b|otherwise|whether|none|missing)|不适用|如果|否则|是否"
)


def no_content_rules(bounds: NoContent) -> Rules:
    """The response is only a stand-in, an announcement, a nod, dots or N/A.

    Stand-ins ("<nooutput>", "[Insert chart]", "无输出") and announcements ("Here is the answer:")
    always count, but where the question asks what a program prints; a nod ("Sure!", "好的。") and
    dots only where the user did not ask for a yes, a favour or signs; N/A only where the question
    does not provide for it. "Yes", "No", "4", "None" and "True" are answers, and so is what the
    question itself says.

    Measured on 150,650 rows of 14 real corpora: 159 rows (about 90 but for translations of one
    another), all read while the rule was made, all of them hollow, and so were 60 of them
    that were drawn and read once more. On by default.

    False positive, known: "(see chart)" as the answer to "What stands in brackets here?".
    """
    if not bounds.enabled:
        return {}
    response = pl.col("response").str.strip_chars()
    return {
        DropReason.NO_CONTENT: matched(
            of_suspects(
                # Bytes first: most responses are out by their length alone.
                (pl.col("response").str.len_bytes() <= 4 * bounds.max_chars + 64)
                & (response.str.len_chars() <= bounds.max_chars)
                & (response.str.contains(_HOLLOW)),
                _hollow,
                pl.String(),
                asked=pl.col("question").fill_null(pl.col("prompt")),
                response=pl.col("response"),
            ),
            "an answer",
        )
    }


def _whole(*patterns: str) -> str:
    return f"^(?:{'|'.join(patterns)})$"


_HOLLOW = _whole(*STAND_INS.values(), *ANNOUNCEMENTS.values(), _DOTS, _NOT_APPLICABLE)


def _hollow(rows: pl.LazyFrame) -> pl.LazyFrame:
    response, asked = pl.col("response").str.strip_chars(), pl.col("asked")
    places = response.str.contains(
        _whole(STAND_INS["a thing's place"], ANNOUNCEMENTS["will answer"])
    )
    no_output = response.str.contains(_whole(STAND_INS["no output"]))
    nods = response.str.contains(_whole(ANNOUNCEMENTS["agrees"], _DOTS))
    nothing = response.str.contains(_whole(_NOT_APPLICABLE))
    hollow = (
        places
        | (no_output & ~asked.str.contains(_MAY_PRINT_NOTHING))
        | (nods & ~asked.str.contains(_NOD))
        | (nothing & ~asked.str.contains(_MAY_BE_NOTHING))
    )
    words = response.str.strip_chars(_FINAL_MARKS).str.to_lowercase()
    said_before = (words != "") & asked.str.to_lowercase().str.contains(words, literal=True)
    return rows.select(pl.when(hollow & (nothing | ~said_before)).then(response))


# --- Gaps that nobody filled ------------------------------------------------------------------

_BLANK = either(r"""
    your|insert|enter|company|recipient|sender|name of|full name|product|client|customer|employer
    manager|boss|business|brand|organi[sz]ation|job title|phone number|e-?mail address
""")
_BLANK_ZH = (
    "(?:姓名|名字|名称|公司|日期|地址|您的|你的|职位|收件人|插入|填写|产品|客户|时间|地点|金额)"
)
GAPS = (
    rf"\[(?i:{_BLANK}\b)(?i:[a-z' /]{{0,30}})\]|\[(?:Name|Date|Address)\]"
    r"|<(?i:insert|enter|your) [^<>\n]{1,40}>"
    rf"|[\[【][^\[\]【】\n]{{0,8}}{_BLANK_ZH}[^\[\]【】\n]{{0,8}}[\]】]"
    r"|(?i:lorem ipsum)|\bTODO\b|(?:^|\s)XXXX?(?:$|[\s.,])"
)
# "Hi, I'm [Your Name]" is what somebody else may say.
_SPOKEN = (
    r"[\"“‘「『'](?:[^\"”’」』\n]{0,80})[\[【<]|(?i:for example|for instance|\be\.g\.)|例如|比如"
)
_GAP_PARTS = ["[", "【", "<", "lorem", "todo", "xxx"]
ASKS_FOR_GAPS = (
    r"(?i:template|letter|e-?mail|form(?-u:\b)|draft|memo|invit|contract|agreement|resume|cv(?-u:\b)|cover"
    r"|speech|script|message|note|tweet|post|placeholder|redact|anonymi|mask|latex|html|web ?page|"
    r"invoice|notice|press release|sample|outline|format|code|program|function|survey|pitch|"
    r"statement|introduc|advert|slogan|song|poem|toast|certificate|receipt|card|reply|respond|bio"
    r"|tagline|headline|flyer|brochure|poster|landing|plan(?-u:\b)|report|review|customi[sz]|greet"
    r"|meeting|about us|prompt|command|advice)"
    r"|模板|信|邮件|表格|草稿|邀请|合同|协议|简历|演讲|发言|脚本|消息|推文|帖|占位|匿名|网页|发票|通知|格式"
    r"|代码|函数|调查|声明|介绍|广告|申请|稿|回复|收据|贺卡|报告|总结|计划|感谢|情书|传单|海报|标语|口号"
    r"|标题|评论|定制|自定义|会面|安排|问候|提示|命令|建议|登录页|登陆页"
)


def template_rules(bounds: UnfinishedTemplate) -> Rules:
    """More than `max_gaps` gaps are left open in a response to a question that asks for none.

    Gaps are [Your Name], <insert date>, [公司名称], XXX, TODO and lorem ipsum. A letter, a slogan
    or a page with gaps is what was asked for: [Your Name] is right there. So are texts that have
    brackets or the gap itself in the question, code, and what somebody else is to say.

    Measured on the same rows: 10 rows, all of them unfinished, and all of them found by
    `no_content_rules` as well: what is left without these questions is nothing more than stand-ins.
    Off by default, for whether a gap in a letter is a fault is the recipe's to say.

    False positive, known: an answer about a text whose own gaps it quotes.
    """
    if not bounds.enabled:
        return {}
    asked, response = pl.col("asked"), pl.col("response")
    gaps = response.str.extract_all(GAPS)
    meant = (
        asked.str.contains(rf"{ASKS_FOR_GAPS}|[\[【<]|(?i:lorem ipsum)|TODO|XXX")
        | response.str.contains(_SPOKEN)
        | holds_code(response.str.replace_all(GAPS, ""))
    )
    left_open = of_suspects(
        pl.col("gaps").list.len() > bounds.max_gaps,
        lambda rows: rows.select(pl.when(~meant).then(pl.col("gaps").list.join(", "))),
        pl.String(),
        asked=asked,
        response=response,
        gaps=gaps,
    )
    return {
        DropReason.UNFINISHED_TEMPLATE: matched(
            of_suspects(
                response.str.contains_any(_GAP_PARTS, ascii_case_insensitive=True),
                lambda rows: rows.select(left_open),
                pl.String(),
                asked=pl.col("question").fill_null(pl.col("prompt")),
                response=response,
            ),
            f"at most {bounds.max_gaps} gaps",
        )
    }


# --- The question again -----------------------------------------------------------------------

OPENING_CHARS = 6
_CONTINUES = (
    r"(?i:complet|continu|fill|finish|edit|correct|rewrite|rephrase|add|insert|revise|fix|expand|"
    r"punctuat|extend|improve|modify|translate|convert|repeat|format|append|next|replace|code)"
    r"|完成|继续|续写|填|编辑|改|更正|添加|插入|修|扩|标点|补|翻译|转换|重复|替换|下一"
)


def repeated_prompt_rules(bounds: PromptRepeated) -> Rules:
    """The response begins with more than `max_share` of the question, and goes on.

    Case, width and white space do not count, nor final punctuation. A response that is nothing but
    the question is an echo (`tasks/filter/rules.py`). Texts to be continued or mended may begin
    the same.

    Measured on the same rows: 9 rows, all of which say the question first. At a share of 0.9 it
    drops Chinese answers in whole sentences (X是什么？ X是…), good style. Off by default for
    want of rows.

    False positive, known: "光合作用是植物制造养分的过程吗？" answered by the same words without 吗.
    """
    if not bounds.enabled:
        return {}
    question, response = pl.col("question"), pl.col("response")
    same_opening = (
        question.str.head(OPENING_CHARS).str.to_lowercase()
        == response.str.head(OPENING_CHARS).str.to_lowercase()
    )
    return {
        DropReason.PROMPT_REPEATED: matched(
            of_suspects(
                same_opening,
                lambda rows: _repeated(rows, bounds),
                pl.String(),
                question=question,
                response=response,
            ),
            f"at most {bounds.max_share:.0%} of the question before the answer",
        )
    }


def _repeated(rows: pl.LazyFrame, bounds: PromptRepeated) -> pl.LazyFrame:
    from tasks.fold import fold

    folded = (
        pl.col(part).map_batches(fold, return_dtype=pl.String(), is_elementwise=True).alias(part)
        for part in ("question", "response")
    )
    question, response = pl.col("question").str.strip_chars_end(_FINAL_MARKS), pl.col("response")
    chars = question.str.len_chars()
    beginning = question.str.head((chars * bounds.max_share).floor().cast(pl.Int64) + 1)
    broken = (
        (chars >= bounds.min_chars)
        & response.str.starts_with(beginning)
        & (response.str.strip_chars_end(_FINAL_MARKS).str.len_chars() > chars)
        & ~pl.col("question").str.contains(_CONTINUES)
    )
    return rows.select(folded).select(pl.when(broken).then(beginning))


# --- Length against length --------------------------------------------------------------------


def ratio_rules(bounds: LengthRatio) -> Rules:
    """The response is shorter or longer than the prompt by more than the recipe allows.

    Meant for recipes whose sources are of one kind, such as translations (1 : 2 at most between
    English and Chinese); a story asked for in five words has a ratio of hundreds.

    Off by default.

    False positive, known: "Is this true?" after a page of text, answered "Yes."
    """
    if not bounds.enabled:
        return {}
    chars = (pl.col(part).str.len_chars() for part in ("response", "prompt"))
    response, prompt = chars
    ratio = response / prompt
    broken = (prompt > 0) & ~ratio.is_between(bounds.min_ratio, bounds.max_ratio)
    found = pl.when(broken).then(pl.format("{} characters by {}", response, prompt))
    expected = f"a ratio from {bounds.min_ratio:g} to {bounds.max_ratio:g}"
    return {DropReason.LENGTH_RATIO: Evidence(found, pl.lit(expected))}
