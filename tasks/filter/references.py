"""Questions that point at what is not in the row: a page to be opened, a picture to be looked at.

Whoever learns to answer these learns to invent. A row that gives the page's text or describes the
picture may be answered, and so may one that is about addresses or markup as such.
"""

import polars as pl

from schemas.quality import MissingAttachment, UnopenedUrl
from schemas.reasons import DropReason
from tasks.assistant.patterns import either
from tasks.assistant.suspects import of_suspects
from tasks.filter.evidence import Rules, matched
from tasks.filter.genre import holds_code

URL = r"(?:https?://|\bwww\.)[^\s<>()\[\]\"'，。；）】]+"
_URL_PARTS = ["http://", "https://", "www."]
# What is there is commonly known, or the question says it, or the address does.
_ENCYCLOPAEDIA = r"://(?:[\w-]+\.)*(?:wikipedia|wikimedia|wiktionary|britannica|baike\.baidu)\."
_HOME_PAGE = r"(?:https?://[^/\s()\[\]]+|\bwww\.[^/\s()\[\]]+)/?(?:$|[\s)\]，。）】])"
_SOUND_FILE = r"(?i:\.(?:wav|mp3|ogg|flac)\b)"
_SPEAKING_NAME = r"(?i:(?:[a-z]{4,}[-_%\d]+){2}[a-z]{4,}[^/\s]*\.[a-z]{3,4}\b)"
_IN_WORDS = (
    r"(?i:\b(?:photo(?:graph)?|picture|image|painting|drawing|sketch)s?(?: taken)? of an? )"
    r"|!\[[^\]]{2,}(?:图片|照片)\]"
)
_PICTURE_FILE = r"\.(?i:jpe?g|png|gif|webp|bmp|svg|tiff?)(?-u:\b)"

# --- Pages ------------------------------------------------------------------------------------

_READS_EN = either(r"""
    summar|article|(?-u:\b)read(?-u:\b)|main (?:point|idea|argument)|key (?:point|idea|takeaway)
    outline|abstract|analy[sz]|review|critique|evaluat|apprais|assess|describe|rate (?:the|this)
    trend|news|blog|story|listen|watch|video|song|podcast|talk|lecture|visit|browse|paraphrase
    report|paper|passage|topic|theme|tone|sentiment|headline|quote|bias
""")
_READS_ZH = either("""
    总结|概括|摘要|文章|阅读|要点|主题|分析|评论|评价|评估|描述|新闻|视频|歌曲|播客|听|观看|浏览|访问
    论文|报道|故事|趋势|标题|语气|情绪
""")
_READS = f"(?i:{_READS_EN})|{_READS_ZH}"
# What is done to an address itself, or with it.
_HANDLES_EN = either(r"""
    url|hyperlink|\blinks?\b[^\n]{0,12}\b(?:to|for|in|valid|broken)\b|html|css|code|script|function
    program|python|java|regex|api(?-u:\b)|request|fetch|scrap|crawl|parse|download|extract|bookmark
    shorten|domain|host|protocol|cit(?:e|ation)|bibliograph|reference|markdown|qr|tweet about
    promot|advertis|email|letter|classif|categor|block|ping|json|xml
""")
_HANDLES_ZH = either("""
    网址|超链接|代码|脚本|函数|程序|正则|接口|请求|抓取|爬|解析|下载|提取|书签|缩短|域名|协议|引用
    参考文献|分类|归类|邮件|推广|广告
""")
_HANDLES = f"(?i:{_HANDLES_EN})|{_HANDLES_ZH}"
_CANNOT_EN = either(r"""
    can ?not|can[’']t|unable to|not able to
    (?:don[’']t|do not) have (?:access|the (?:ability|capab))
    no (?:image|picture|photo|file|attachment|link|article|document)
    not (?:provided|attached|included|visible|possible to)
    (?:did|does)(?: not|n[’']t) (?:provide|include|see|attach|contain)
    please (?:provide|attach|upload|share)
    no ?(?:in|out)put
""")
_CANNOT_ZH = either("""
    无法|不能|没有(?:提供|看到|附|图|文件|链接)|未提供|请提供|请上传|看不到|无输[入出]
""")
_SAYS_IT_CANNOT = f"(?i:{_CANNOT_EN})|{_CANNOT_ZH}"


def url_rules(bounds: UnopenedUrl) -> Rules:
    """The question gives an address and asks about its page; the response speaks of what is there.

    At most `max_given_chars` beside the address: a longer question holds the text itself. Left
    alone: code, questions about addresses as such, responses that say they cannot open it,
    encyclopaedias and home pages, whose subject is commonly known.

    Measured on 150,650 rows of 14 real corpora: 246 rows (about 130 but for translations of one
    another). Of 171 that were read while the rule was made, five could be answered without the
    page; these kinds are left alone since. Of 40 fresh ones all 40 speak of a page nobody opened.
    About one answer in ten says what everybody knows and may be true; that it has read so is not.
    On by default.

    False positive, known: "Summarise the rules: https://www.example.net/how-to-play-chess"
    answered by what everybody knows of them.
    """
    if not bounds.enabled:
        return {}
    asked, response = pl.col("asked"), pl.col("response")
    beside = asked.str.replace_all(URL, "")
    speaks = (
        (beside.str.len_chars() <= bounds.max_given_chars)
        & beside.str.contains(_READS)
        & ~beside.str.contains(_HANDLES)
        & ~asked.str.contains(f"{_ENCYCLOPAEDIA}|{_HOME_PAGE}|{_SOUND_FILE}")
        & ~beside.str.contains(_IN_WORDS)
        & ~response.str.head(200).str.contains(_SAYS_IT_CANNOT)
        & ~holds_code(response)
    )
    return {
        DropReason.UNOPENED_URL: matched(
            of_suspects(
                asked.str.contains_any(_URL_PARTS),
                lambda rows: rows.select(pl.when(speaks).then(asked.str.extract(f"({URL})", 1))),
                pl.String(),
                asked=pl.col("question").fill_null(pl.col("prompt")),
                response=response,
            ),
            "the text of the page, or no answer from it",
        )
    }


# --- Pictures and files -----------------------------------------------------------------------

_PICTURE = either("""
    image|picture|photo(?:graph)?|figure|diagram|graph|chart|screenshot|painting|map|drawing
""")
_FILE = either("""
    image|picture|photo(?:graph)?|file|document|video|audio|recording|pdf|screenshot|spreadsheet
""")
_ENDING = "(?:jpe?g|png|gif|webp|bmp|svg|tiff?|pdf|mp[34]|wav)"
POINTS = {
    # <image>, [photo], [Insert image], [attached photo], [painting.jpg], [图片]
    "an empty place": (
        r"(?i:[<\[(（【]\s*(?:insert|attach(?:ed)?|upload(?:ed)?|see|add|include|the|an?)?\s*"
        rf"(?:an? |the )?{_PICTURE}s?\s*"
        r"(?:here|attached|provided|included|file|above|below|placeholder|url|link)?\s*[>\])）】])"
        rf"|(?i:[<\[(][\w -]+\.{_ENDING}\s*[>\])])"
        r"|[<\[(（【](?:插入|附上|附加?|上传|见)?(?:的|一张)?(?:图片|照片|图像|图|截图|附件)[>\])）】]"
    ),
    # ![alt](https://…/a.png), <img src=…>, https://…/a.jpg
    "a picture's address": (
        rf"!\[[^\]]*\](?:\(|\[)|(?i:<img (?:src|alt)=)|https?://\S+{_PICTURE_FILE}"
    ),
    # as shown in the image, in the picture above, the attached file
    "words": (
        rf"(?i:\b(?:shown|seen|pictured|depicted|displayed|illustrated|given|provided|attached|marked)"
        rf" (?:in|on) (?:the|this) (?:\w+ )?{_PICTURE}s?\b"
        rf"|\b(?:in|from|at|of|see|on) the {_PICTURE}s? (?:above|below|attached|shown|provided)\b"
        rf"|\bthe (?:attached|uploaded|accompanying) {_FILE}s?\b)"
        r"|如[上下]?图(?:所示|中)|见[上下附]图|[上下附]图(?:中|所示|为)|附件(?:中|里|所)|我上传的(?:图片|文件|照片)"
    ),
}
# ![Picture of an eagle](…)
_DESCRIBED = r"(?i)^!\[[^\]]* of [^\]]*\]"
# "Two triangles in a circle, as shown in the image" says enough to answer from.
MIN_SHAPES = 2
_GEOMETRY = (
    r"(?i:triang|rectang|circle|prism|square|\bangle|cube|polygon|radius|area)|三角|矩形|圆|棱|面积"
)
_POINT_PARTS = [
    *("image", "picture", "photo", "figure", "diagram", "graph", "chart", "screenshot", "painting"),
    *("drawing", "attach", "upload", "accompanying", "<img", "![", ".jpg", ".jpeg", ".png", ".gif"),
    *(".webp", ".bmp", ".svg", ".pdf", ".mp3", ".mp4", ".wav", "图", "照片", "附件", "上传"),
]
_MAKES_EN = either(r"""
    html|css|code|script|function|program|python|java(?-u:\b)|markdown|write an? (?:tag|app|api)|api
    download|url|filename|file name|extension|regex|convert|resize|tag(?-u:\b)|website
    web ?page|path
""")
_MAKES_ZH = "(?:代码|函数|程序|脚本|网页|网址|下载|文件名|标签|路径)"
_MAKES = f"(?i:{_MAKES_EN})|{_MAKES_ZH}"


def attachment_rules(bounds: MissingAttachment) -> Rules:
    """The question shows a picture or file that no text can hold, and is answered all the same.

    An empty place for it ("[image]", "<photo>", "[painting.jpg]"), an address of a picture, or
    words that point at one ("as shown in the image", "如图所示"), in a question of at most
    `max_given_chars`. Left alone, for they can be answered: a picture that the question describes
    ("[Picture of an eagle]", "a sketch of a mountain"), one whose file's name is of three words or
    more or is in an encyclopaedia, geometry, answers that stand in the question; and code, and
    responses that say that nothing is there to be seen.

    Measured on the same rows: 88 rows (about 60 but for translations), all read; 3 of them can be
    answered all the same, by what the question says or by its labels. On by default. Answers that
    point at a picture of their own ("see the attached image") are too few there to be judged (18),
    and are not looked for.

    False positive, known: a flag whose country is the name of its file, in a long answer.
    """
    if not bounds.enabled:
        return {}
    asked, response = pl.col("asked"), pl.col("response")
    shown = asked.str.extract(f"({'|'.join(POINTS.values())})", 1)
    return {
        DropReason.MISSING_ATTACHMENT: matched(
            of_suspects(
                asked.str.contains_any(_POINT_PARTS, ascii_case_insensitive=True),
                lambda rows: rows.select(
                    of_suspects(
                        pl.col("shown").is_not_null(),
                        lambda few: few.select(_answered_unseen(bounds)),
                        pl.String(),
                        asked=asked,
                        response=response,
                        shown=shown,
                    )
                ),
                pl.String(),
                asked=pl.col("question").fill_null(pl.col("prompt")),
                response=response,
            ),
            "a question that shows nothing but text",
        )
    }


def _answered_unseen(bounds: MissingAttachment) -> pl.Expr:
    """What is shown, where it could not be seen and was answered; else null."""
    asked, response, shown = pl.col("asked"), pl.col("response"), pl.col("shown")
    said = response.str.to_lowercase().str.replace(r"^(?:an?|the) ", "").str.strip_chars(" .。")
    can_be_answered = (
        shown.str.contains(_DESCRIBED)
        | asked.str.contains(f"{_IN_WORDS}|{_SPEAKING_NAME}|{_ENCYCLOPAEDIA}")
        | shown.str.contains(POINTS["words"]) & (asked.str.count_matches(_GEOMETRY) >= MIN_SHAPES)
        | asked.str.to_lowercase().str.contains(said, literal=True)
    )
    answered = (
        (asked.str.replace_all(URL, "").str.len_chars() <= bounds.max_given_chars)
        & ~can_be_answered
        & ~asked.str.contains(_MAKES)
        & ~response.str.head(200).str.contains(_SAYS_IT_CANNOT)
        & ~holds_code(response)
    )
    return pl.when(answered).then(shown)
