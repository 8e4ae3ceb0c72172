"""What a user asks for: whose words will the answer be, and of whom does it speak?"""

import polars as pl

from tasks.assistant.patterns import any_of, either

# What the user asks to be done with a text of his own.
REWORKS = any_of(
    [
        r"\b"
        + either(r"""
            translat\w+|correct|fix|rewrite|rephrase|paraphrase|reword|convert|proofread|edit|extract
            grammar|passive|negative|change|turn|classify|summari[sz]e|punctuat\w+|modify|rearrange
            tense|put this|übersetz\w+|tradu\w+|remove|delete|replace|reorder|restate|synonyms?
            in(?:to|s)? (?:english|englische?|french|german|spanish|chinese)|formal|polite\w*
            identify|improve|shorten|transform|opposite|antonym|negat\w+
        """)
        + r"\b",
        either("""
            翻译|译成|改写|改正|改成|改得|修改|润色|病句|缩写|扩写|续写|提取|概括|纠正|语法|变成|改为|换成
            语气|客气|礼貌|判断|分类|重新排列|重排|替换|删除|去掉|更正式|转换|否定|反义|同义|句式|给定
        """),
    ]
)
MATERIAL = r"[：\n\"“「『]|:[^/]|:$"
# A statement to be weighed, a sentence to be worked on: the answer speaks of it, as "I" too.
WEIGHS = any_of(
    [
        (
            r"\b(?:sentences?|statements?|claims?|options?|facts?|factual|passage|paragraph|revise"
            r"|restore|corrections?|true or false)\b"
        ),
        "句子|[这那下上]句|句话|例句|语句|陈述|语句|是否|选项|段落|编辑|重写|正确的英语|判断",
    ]
)
PLAYS = any_of(
    [
        (
            r"\b(?:act as|acting as|pretend|role-?play\w*|play the role|impersonate|in the voice of"
            r"|speak as|answer as|write as|imagine (?:that )?you)\b"
        ),
        "扮演|假装|角色|模仿|以[^，。]{1,12}的(?:身份|口吻)",
    ]
)
# A text that others will say or write.
COMPOSES = any_of(
    [
        r"\b"
        + either(r"""
            write|compose|draft|create|generate|invent|make up|role-?play\w*|act as|pretend|speak as
            (?:continue|complete) (?:this|the|my) (?:story|text|dialogue|poem|song|sentence)
            (?:continue|complete) (?:this|the|my) (?:paragraph|letter|scene)|answer as|excuse
            phrase|say no
            how (?:do|can|should|to) (?:i |we |you )?(?:politely |kindly )?(?:say|tell|refuse)
            how (?:do|can|should|to) (?:i |we |you )?(?:politely |kindly )?(?:reply|respond)
            how (?:do|can|should|to) (?:i |we |you )?(?:politely |kindly )?(?:decline|answer)
            give me an example|what (?:can|should|could) i|use [^.!?]{1,40} in a sentence
            apologi[sz]e
            sentences (?:with|using|that)|tell (?:my|him|her|them)|turn(?:ing)? down|declin(?:e|ing)
            monologue|dialogue|(?:why|when|time|situation where) you|form a|construct|make a
            think of an?|append|add|suitable|proverb|idioms?|come up with|complete:|be my|be a
            recite|stanza|poem|verse|line|haiku|(?:choose|pick|select) (?:the|one)|determine|detect
            (?:choose|pick|select) an? (?:word|option|answer|sentence)|which of (?:these|the)
            which one|options?:|interview|(?:challenge|situation|mistake|experience) (?:that )?you
        """)
        + r"\b",
        either("""
            (?:^|[请我，,。\n]|帮[^，。]{0,4}|再|来)写|写(?:一|个|首|篇|段|封|出|下|份|条|张|[两三四五几])
            撰写|编(?:一|个|写|造|段|出)|造句|朗诵|借口|响应|回应|扮演|假设|假装|续|拟|起草|如何|台词
            怎么回复|怎样回复|怎么说|回绝|婉拒|拒绝|教我|造[^，。]{1,6}句|创建|生成|设计|制作|想象|推文|标语
            举[^，。]{0,8}例|比喻|俳句|补全|完成|你来当|假如|谚语|道歉|回复|面试|选择|选出|哪句
            哪(?:个|些)(?:陈述|句|选项|词)|用[^，。]{1,4}(?:说|讲|表达)
        """),
    ]
)
KINDS = either("""
    human|robot|real|ai|person|bot|machine|man|woman|computer|alive|program|chat-?bot|conscious
    sentient|self-aware|intelligent
""")
# Whether it is human or a machine: to say that it is a machine answers this.
ASKS_WHAT_IT_IS = any_of(
    [
        rf"\b(?:are|r|is) (?:you|u|this|it)(?: \w+){{0,2}} (?:an? )?(?:\w+ )?{KINDS}\b",
        r"\bwhat are you(?:\W*$| exactly| really)",
        r"[你您](?:有|没有|有没有)(?:生命|意识)",
        (
            r"[你您](?:到底|究竟|真的|其实)?(?:是不是|是)(?:一个)?(?:真?人|机器|ai|人工智能|真的|活人"
            r"|程序|活的|什么(?:东西|呀|啊|[？?。]|$)|[^不，。]{1,12}[吗吧])"
        ),
    ]
)
SPEAKS_TO_IT = any_of(
    [
        r"\b(?:you|your|yours|yourself|u|ur|who(?:['’]s| is) (?:this|there|on))\b",
        "[你您妳]",
    ]
)
INTERVIEW = any_of(["interview|面试|求职|应聘"])
ABOUT_ITSELF = (
    (
        r"\b(?:yourself|your own (?:\w+ )?(?:bio\w*|profile|story|introduction|cv|resume)|about you"
        r"|who you are|what you are|your (?:bio\w*|life|identity|creators?|origins?))\b"
    ),
    r"\bwho(?:['’]s| is) (?:this|there|on|it)\b",
    (
        r"[你您](?:自己|本人|的(?:自传|简历|身世|来历|诞生))|关于[你您]|夸夸自己|(?:介绍|形容|描述)"
        r"(?:一下)?[你您]?自己"
        r"|^请?(?:先|做个?|来个?|用[^，。]{1,8})?自我介绍"
    ),
)
ASKS_OF_ITSELF = any_of(ABOUT_ITSELF)
_ITS_NAME = (
    (
        r"\b(?:who|whose|name|state|which (?:company|model|version|gpt|ai|llm|lab|firm|bot|team))\b"
        r"[^.?!\n]{0,30}?"
        r"\b(?:you|your|u|ur|this (?:bot|assistant|chatbot|ai|service))\b"
    ),
    r"\b(?:you|your)\b[^.?!\n]{0,20}?\b(?:name|maker|creator|developer|company|owner|version)\b",
    r"[你您](?:是谁|叫|的?(?:名字|老板|东家|开发|公司|主人|型号|版本|全名))",
    r"^(?:报|说|查|看)[^，。]{0,4}(?:版本|型号|名字)",
    r"[这你您]是(?:什么|哪)[^，。]{0,4}(?:ai|模型|机器人|助手)",
    r"谁[^。？！]{0,6}[你您]|哪[家个][^。？！]{0,8}[你您]|[你您][^。？！]{0,6}(?:谁|哪家|哪个公司)",
)
ASKS_ITS_NAME = any_of(_ITS_NAME)
ASKS_WHO_IT_IS = any_of([*ABOUT_ITSELF, *_ITS_NAME])


def reworks_a_text(question: pl.Expr) -> pl.Expr:
    """The user hands over a text to be translated, mended, shortened, judged."""
    return question.str.contains(REWORKS) & question.str.contains(MATERIAL)


def asks_of_a_sentence(question: pl.Expr) -> pl.Expr:
    """The question is about a sentence or a statement, given or not."""
    return question.str.contains(WEIGHS)


def weighs_a_text(question: pl.Expr) -> pl.Expr:
    """The question is about a sentence or a statement, or a text to be worked on, given or not."""
    return asks_of_a_sentence(question) | question.str.contains(REWORKS)


def plays_a_role(question: pl.Expr) -> pl.Expr:
    """The user asks for an answer in somebody else's person."""
    return question.str.contains(PLAYS)


def composes(question: pl.Expr) -> pl.Expr:
    """The user asks for a text that others will say or write: a letter, a scene, an excuse."""
    return question.str.contains(COMPOSES)


def speaks_to_it(question: pl.Expr) -> pl.Expr:
    """The user speaks to the assistant, or of it: you, your."""
    return question.str.contains(SPEAKS_TO_IT)


def asks_what_it_is(question: pl.Expr) -> pl.Expr:
    """The user asks whether a human or a machine is speaking."""
    return question.str.contains(ASKS_WHAT_IT_IS)


def asks_its_name(question: pl.Expr) -> pl.Expr:
    """The user asks for the assistant's name, maker or version."""
    return question.str.contains(ASKS_ITS_NAME)


def asks_who_it_is(question: pl.Expr) -> pl.Expr:
    """The user asks for the assistant's name, maker or version, or for a text about it."""
    return question.str.contains(ASKS_WHO_IT_IS)


def asks_of_itself(question: pl.Expr) -> pl.Expr:
    """The user asks for a text about the assistant: its poem, its biography."""
    return question.str.contains(ASKS_OF_ITSELF) & ~question.str.contains(INTERVIEW)
