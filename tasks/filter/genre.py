"""What kind of text a row asks for or holds: many rules must leave code, tables and songs alone."""

import polars as pl

from tasks.assistant.patterns import either

_STATEMENT = either(r"""
    def|class|import|from|for|while|if|elif|else|return|func|function|var|let|const|public|private
    static|void|int|echo|printf?|println|console\.log|SELECT|INSERT|UPDATE|CREATE|@\w+
""")
_CODE = either(rf"""
    (?m:^\s*{_STATEMENT}\b[^\n]*[:;({{=\])'"]\s*$)
    ```
    [;{{}}]\s*(?:\n|$)
    </?[a-zA-Z][\w-]*(?: [^<>\n]*)?>
    =>|->|#include|#!/|\\x?[a-z]+\{{
    \b\w+(?:\.\w+)*\([^()\n]*\)\s*$
    \b(?:print|range|len)\s?\(
""")
_TABLE = r"(?m:^[^\n|]*\|[^\n|]*\|)|(?m:^\s*[-+=|_]{3,}\s*$)|\t[^\n\t]*\t"
_VERSE = (
    r"(?i:song|lyric|poem|poetry|rap(?-u:\b)|verse|chorus|rhyme|haiku|limerick|melod|chant|music|beat"
    r"|riff|jingle|lullaby|ballad|anthem|hymn|chord|couplet|sonnet|stanza)|歌|诗|词|曲|旋律|合唱|押韵|童谣|口号"
)
_ASKED_TO_REPEAT = (
    r"(?i:repeat|times|copies|rows|columns|table|quiz|multiple.choice|list of|schedule|plan|html|"
    r"sample|examples?)|重复|遍|次|行|列|表|测验|选择题|列表|计划|示例|例子"
)
_MADE_OF_SIGNS = (
    r"(?i:emoji|emoticon|ascii|symbols?|unicode|morse|art(?-u:\b)|draw|braille|chess|diagram"
    r"|flow ?chart|tree|table|grid|box|sudoku|crossword|puzzle|maze|pixel|zalgo)"
    r"|表情|颜文字|符号|字符|摩尔斯|绘|画|图|表|树|数独|填字|迷宫|像素"
)
_ABOUT_WORDING = (
    r"(?i-u:\b(?:sentences?|words?|phrases?|clauses?|verbs?|tenses?|grammar\w*|conjugat\w*"
    r"|prepositions?|parse|sort|arrange|rearrange|reorder|delete|remove|blanks?|complete|finish"
    r"|start of|beginning of|opening line|titles?|headlines?|slogans?|equations using|forms?)\b)"
    r"|句|词|短语|语法|介词|排序|重排|删除|填空|完成|标题|口号"
)


def holds_code(text: pl.Expr) -> pl.Expr:
    """The text is code or markup, or has some in it."""
    return text.str.contains(_CODE)


def holds_table(text: pl.Expr) -> pl.Expr:
    """The text has a line of cells or a rule of dashes."""
    return text.str.contains(_TABLE)


def asks_for_verse(question: pl.Expr) -> pl.Expr:
    """A song or poem is asked for: those have refrains."""
    return question.str.contains(_VERSE)


def asks_for_repeats(question: pl.Expr) -> pl.Expr:
    """Something is asked for whose parts are alike: rows, a quiz, a plan, ten copies."""
    return question.str.contains(_ASKED_TO_REPEAT)


def about_wording(question: pl.Expr) -> pl.Expr:
    """The user works on words and sentences: an answer may be any piece of one."""
    return question.str.contains(_ABOUT_WORDING)


def asks_for_signs(question: pl.Expr) -> pl.Expr:
    """Emoji, drawings in characters or the like are asked for."""
    return question.str.contains(_MADE_OF_SIGNS)
