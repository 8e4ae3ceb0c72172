r"""What an unrendered `{{placeholder}}` is: a name in double braces where a word should stand.

Double braces are also Jinja's, Vue's, Mustache's and LaTeX's, and initial values in C: a text that
is code, or about templates, says so by other signs.
"""

import polars as pl

OPENS = "{{"
NAME = r"[\p{L}_][\p{L}\p{N}_-]*(?: [\p{L}\p{N}_-]+){0,3}"
PLACEHOLDER = rf"\{{\{{[ \t]*{NAME}[ \t]*\}}\}}"
# Around it: no third brace, quotation mark, backtick, tag, variable's sign or LaTeX.
_BEFORE = r"(?:^|[^{$`'\"\\=<>/#%^A-Za-z0-9_])"
_AFTER = r"(?:$|['’]s\b|[^}`'\"=</_^\[(A-Za-z0-9])"
_IN_PROSE = rf"{_BEFORE}({PLACEHOLDER}){_AFTER}"
_FENCED = r"(?s)```.*?(?:```|\z)"
_CODE = (
    r"</?[A-Za-z][\w-]*[^<>]*>"  # a tag
    r"|\{%|\{\{[#/>!&^{]|\$\{"  # statements, sections and partials, a shell's variable
    r"|;\s*(?:\n|$)|=>|\)\s*\{"  # statements and bodies
    r"|\\[A-Za-z]+\{"  # LaTeX
)
_ABOUT = (
    r"(?i:\b(?:templat\w*|jinja\w*|vue(?:\.?js)?|angular\w*|mustache|handlebars|django|flask|"
    r"liquid|helm|ansible|twig|blade|nunjucks|postman|latex|html|yaml|json|xml|placeholders?|"
    r"variables?|braces?|brackets?|mail ?merge|render\w*|syntax|interpolat\w*)\b)"
    r"|模板|占位符|变量|花括号|大括号|双括号|渲染|插值|语法"
)


def placeholder_in_prose(text: pl.Expr) -> pl.Expr:
    """The first placeholder of a text that stands in prose outside ``` fences, else null."""
    prose = _where(text.str.contains(OPENS, literal=True), text).str.replace_all(_FENCED, "")
    return prose.str.extract(_IN_PROSE, 1)


def about_templates(text: pl.Expr, where: pl.Expr) -> pl.Expr:
    """Whether a text is code or speaks of templates; false but where the condition holds."""
    return _where(where, text).str.contains(f"{_CODE}|{_ABOUT}")


def _where(condition: pl.Expr, text: pl.Expr) -> pl.Expr:
    """The text where the condition holds, else nothing: patterns are run under a null too."""
    return pl.when(condition).then(text).otherwise(pl.lit(""))
