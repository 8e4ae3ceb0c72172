"""How English turns a user down: who speaks, what he will not or cannot, and why. Regex parts.

The phrases are composed: a speaker (`ME`), a verb that refuses (`CANNOT`) or lacks (`LACKS`), what
an assistant does (`SERVE`) or a person has (`SELFHOOD`), and the reason (`RULES`, `SPEAKS_AS_AI`).
A phrase is looked for in one sentence; `[^|]` is a character of it that nobody is quoted with.
"""

from tasks.assistant.english import ADJECTIVE, MODELS, TRAINED
from tasks.assistant.patterns import either

# --- Who speaks ----------------------------------------------------------------------------------

ADVERBS = (
    r"(?:,? (?:\w+ly|just|also|still|even|so|therefore|now|always|yet|however|though|as such"
    r"|at (?:this|the|present) ?(?:time|moment)?|in (?:fact|general|any way)|of course),?)*"
)
ME = rf"\b(?:i|neither)(?:['’](?:m|ve|d|ll)|m| am| have| had| would| do| did| will| can)?{ADVERBS}"
I_DO = rf"\b(?:i|neither)(?:['’](?:ve|d|ll)| have| had| would| do| did| will)?{ADVERBS}"
AI_NOUN = (
    either(rf"""
    ai|a\.i\.|artificial intelligence|llm|model|machine|robot|assistant|bot|chat-?bot
    (?:language|learning|text|chat|ai|gpt) (?:model|system)|(?:computer|software|ai) ?program
    (?:virtual|digital|ai|voice|online|automated|helpful) (?:assistant|agent|being|entity|helper)
    program|software|algorithm|piece of software
    {MODELS}
""")
    + "s?"
)
# "An AI engineer" is none: after the noun comes a stop, or what only goes on about the speaker.
AI_STOPS = (
    r"(?:\s*(?:$|[,.;:!()\n–—-])| (?:and|so|that|which|with|without|by|like|i|my|or|who|but|here"
    r"|to|from|whose|there|it|for|designed|language model|model|assistant|system|program"
    rf"|{TRAINED})\b)"
)
AN_AI = (
    r"(?:(?:just|only|merely|simply|purely|but|actually|really|still|an?|the|mere|your|no more"
    r"|more|than|nothing)[ ,]+)*"
    rf"(?:(?:{ADJECTIVE}|text-only|\w+-based|purely|mere) )*{AI_NOUN}{AI_STOPS}"
)
AS = r"(?:as|being|since|because|for|given that|considering|speaking as)"
SPEAKS_AS_AI = either(rf"""
    \b{AS}(?: that)?(?: i(?:['’]m| am))? {AN_AI}
    \bi(?:['’]m|m| am| was| remain| exist) (?:\w+ )?{AN_AI}
    \b(?:ais?|assistants?|models?|bots?|programs?|machines?) (?:like|such as) (?:me|myself)\b
    \b(?:made|built|composed|consist\w*) (?:up )?(?:of|from) (?:pure )?(?:code|data|algorithms)\b
""")

# --- What it will not, cannot, has not -----------------------------------------------------------

NOT_ABLE = either(r"""
    unable|incapable|forbidden|prohibited|limited|restricted
    not (?:able|capable|allowed|permitted|designed|programmed|equipped|authori[sz]ed|comfortable)
    not (?:willing|going|in a position|qualified|supposed|built|made|meant|set up|trained|here)
    not (?:helping|doing|writing|about|aware|sure (?:how|if|what|whether|i)|familiar|certain)
    not (?:connected|eligible|inclined|prepared|someone|something|even|at liberty)
""")
CANNOT = either(rf"""
    can['’]?t|cannot|can not|won['’]?t|will not|wouldn['’]t|would not|may not|mustn['’]t
    shouldn['’]t|should not|must not|ain['’]t
    not (?:be )?(?:able|provide|do|help|assist|share|answer|say|tell|write|give)
    (?:must|have to|need to|(?:am )?going to(?: have to)?) (?:\w+ly )?(?:decline|refuse|pass|stop)
    (?:['’]ll|will) have to (?:\w+ly )?(?:decline|refuse|pass|stop)
    (?:\w+ly )?(?:refuse|decline|refrain|abstain)d?\b|rather not|prefer not|{NOT_ABLE}
""")
I_CANNOT = rf"{ME} (?:{CANNOT})\b"
COULD_NOT = rf"{ME} (?:could not|couldn['’]t|did not|didn['’]t|was not able|was unable)\b"
LACKS = either(r"""
    do not|don['’]?t|didn['’]?t|did not|have not|haven['’]t|have no|had no|no|not|never|lack
    neither|possess no|own no|hold no|take no|am without|without|am not even|am neither
    can['’]?t|cannot|have never|was never|wasn['’]t ever
""")
I_LACK = rf"{I_DO} {LACKS}\b"
SELFHOOD = either(r"""
    opinions?|beliefs?|believe in|preferences?|feel(?:ings?)?\b|emotions?|experiences?|biases
    conscious\w*|views?\b|favou?rites?|tastes?|memor(?:y|ies)|sides?|desires?|wishes
    bod(?:y|ies)|eyes|ears|hands|mouth|famil(?:y|ies)|childhood|parents|gender|age|birthday
    hometown|friends|hobbies|likes|dislikes|positions?|stances?|stand on|partner|spouse|life|lives
    soul|dreams?|eat|sleep|drink|moods?|love|fears?|pets?|weekends?|a (?:job|home|name|past)
    senses?|sense of|smell|past|future|identity|judge?ments?|personality|aspirations?
    religio\w+|nationality|race|sexuality|physical (?:form|presence|existence)
""")
ACCESS = either(r"""
    access|ability|capability|capacity|means|real-?time|up-to-date|ways?\b|permission|authority
    live (?:data|information|prices|feeds?|\w+ feed)|information|knowledge|records?|an answer
    (?:current|enough|sufficient|specific|personal|any|that|the|this|such) (?:\w+ )?KNOWN
    (?:additional|more|further|relevant|detailed|reliable|much) (?:\w+ )?KNOWN
    tools?|camera|microphone|internet|browser|connection
""").replace("KNOWN", "(?:data|information|info|context|details?|knowledge|record|answer)")
REGRET = either(r"""
    \b(?:sorry|apologi[sz]e|apologies|unfortunately|regret(?:tably|fully)?|pardon me|alas)\b
    \bforgive me\b|\bi['’ ]a?m afraid\b|\bafraid (?:i|that|not)\b
""")
# What a response does for its user; people do it for one another too, but not in these words.
SERVE = either(r"""
    assist|help (?:you|with|in|people|anyone|someone)|provide|fulfil|comply|generate|produce
    compose|write|create|draft|condone|promote|encourage|endorse|glorify|support|engage in
    participate in|facilitate|contribute to|complete (?:this|that|the|your)|do so\b
    make (?:jokes?|fun|a joke|light)|carry out|advise (?:you )?on
""")
THE_REQUEST = either(r"""
    \b(?:this|that|your|such|such an?|the|these|those|requests?|questions?|tasks?) (?:\w+ )?ASKED
    \bwith (?:that|such)\b
""").replace(
    "ASKED",
    r"(?:requests?|questions?|tasks?|prompts?|quer(?:y|ies)|instructions?|topics?|subject|demand"
    r"|conversation|content|language|material|behaviou?r|activit(?:y|ies)|acts?)\b",
)
AGAINST = either(r"""
    against|violat\w+|contrary to|breach\w*|in (?:conflict|violation) (?:with|of)|break\w*
    not (?:in line|align\w*|consistent|compatible) with|conflicts? with|goes beyond
    outside(?: of)?|prohibited by|not allowed (?:by|under)|due to|because of|according to|under
""")
GUIDELINES = either(r"""
    guidelines?|programming|polic(?:y|ies)|principles|values|rules|terms|standards|instructions
    ethics|restrictions
""")
RULES = either(rf"""
    \b{AGAINST} (?:\w+ )?OUR (?:\w+ ){{0,2}}?{GUIDELINES}\b
    \bmy (?:\w+ )?{GUIDELINES} (?:do not|don['’]t|prevent|prohibit|forbid|won['’]t|require|keep)
""").replace("OUR", r"(?:my|our|openai['’]s|content|safety|usage|community)")
HARM = (
    r"\b"
    + either(r"""
    illegal\w*|unlawful|against the law|crim(?:e|es|inal)|unethical|immoral|harm\w*|dangerous
    malicious|malware|hate(?:ful)?|misinformation|offensive|explicit|violen\w+|discriminat\w+
    inappropriate|weapons?|abus\w+|racis\w+|sexis\w+|fraud\w*|cheating|privacy|unsafe|wrong
    disrespectful|hurtful|derogatory|minors?|stealing|theft|terroris\w+|insult\w*|suicid\w+
""")
    + r"\b"
)
# What was asked for is called by that name: why it refuses.
CONDEMNS = either(rf"""
    \b(?:is|are|would be|can be|constitutes?)\b[^|]*?{HARM}
    {HARM}[^|]*?\b(?:is|are) (?:not|never|wrong)
""")

# --- The text that was not given -----------------------------------------------------------------

MATERIAL = either(r"""
    text|passage|sentences?|paragraphs?|articles?|stor(?:y|ies)|poem|essay|lists?|inputs?
    images?|pictures?|photos?|files?|attachments?|data(?:set)?|numbers?|words?|contexts?|questions?
    statements?|content|quotes?|documents?|tables?|code|options|choices|details|links?|url|topics?
    lyrics|dialogue|conversation|email|letter|items?|equation|problem|description|snippet
    transcripts?|recording|minutes|report|review|phrases?|names?|graph|chart|video|audio|example
""")
GIVEN = either(r"""
    provided|given|included?|attached|specified|supplied|shared|pasted|mentioned|uploaded|entered
    sent|there\b|here\b|below|present|in (?:your|the|this)|for me|with your|above|available
    to (?:\w+ )?(?:translate|summari[sz]e|classify|analy[sz]e|work|edit|rewrite|use)
""")
ABSENT = either(r"""
    there(?:['’]s| is| are| was| were)(?:n['’]t)?(?: no| not)?(?: any| an| a)?
    there (?:doesn['’]t|does not|don['’]t) (?:seem|appear) to be(?: any| an| a)?|i see no|no
    i (?:don['’]t|do not|didn['’]t|did not) (?:see|find|have|receive|get)(?: any| an| a| the)?
    i (?:can['’]t|cannot|couldn['’]t) (?:see|find|have|receive|get)(?: any| an| a| the)?
    without (?:the|a|any|seeing|knowing|having|more|your)
""")
CLAUSE = (
    r"(?:^\W*|[,.:;—-] ?|\b(?:but|that|since|as|because|if|like|seems?|appears|and|however|so"
    r"|afraid|sorry|unfortunately|though|think|believe|see),? )"
)
PROVIDE = either(r"""
    provide|include|attach|specif|give|share|told|tell|mention|paste|upload|state|sen[dt]|enter
    supply|supplied|say|said|list
""")
MISSING = {
    # There is no text in your message; no file was attached; without the article I ...
    "none there": (
        rf"{CLAUSE}{ABSENT} (?:[\w-]+ ){{0,4}}?{MATERIAL}\b(?:[^|]*?\b{GIVEN}|[^|]*?, i\b)"
    ),
    "nothing there": either(rf"""
        \bthere(?:['’]s| is) nothing (?:\w+ )?(?:attached|provided|included|here|for me|in your)\b
        \bno {MATERIAL} (?:came|comes|is here|in your)\b|\bneither an? {MATERIAL}\b
        \bnothing (?:is |was |has been )?(?:yet )?(?:attached|provided|included|pasted)\b
    """),
    # You forgot to attach the file; you haven't provided any text.
    "you forgot": (
        rf"{CLAUSE}you(?:['’]ve)?(?: (?:have|did|do))?(?:n['’]t| not)?"
        r"(?: (?:seem|appear) to(?: have)?)?(?: \w+ly)? ?(?:forg[oe]t\w*|missed|left out|omitted)"
        r" (?:to (?:\w+ )?(?:provide|include|attach|add|paste|share|give|tell|specify|upload|send"
        r"|mention)|the|your)\b"
    ),
    "you did not": (
        rf"{CLAUSE}you (?:have not|haven['’]t|did not|didn['’]t|need to|never) (?:\w+ )?{PROVIDE}"
    ),
    # The options are missing; the data was not provided; your request seems incomplete.
    "is missing": (
        rf"\b{MATERIAL} (?:is|are|was|were|seems?|appears?|may be)(?: to be)? (?:blank|empty"
        r"|missing(?:[.!]|$| from your| in your)|cut off|not (?:been )?(?:provided|given|included"
        r"|attached|specified|supplied|shared|pasted|visible))"
    ),
    "is not given": (
        rf"\b{MATERIAL}[^.|]{{0,30}}? (?:was|were|is|are|has|have)(?:n['’]t| not)"
        r" (?:been )?(?:provided|given|included|attached|specified|supplied|shared|pasted|visible)"
    ),
    "needs it": rf"\bi(?:['’]d| would| will|['’]ll)? need (?:the|your|an?) (?:\w+ )?{MATERIAL}\b",
    "needs more": r"\bneed (?:some |a bit |a little )?more (?:information|context|details)\b",
    "incomplete": (
        r"\byour (?:\w+ )?(?:request|message|prompt|question|input|query) (?:is|was|seems|appears"
        r"|does(?:n['’]t| not)|did(?:n['’]t| not))[^|]*?(?:incomplete|empty|blank|unclear"
        r"|contain|include|missing|specify)"
    ),
}
TASKS = either(r"""
    tasks?|instructions?|requests?|prompts?|commands?|quer(?:y|ies)|questions?|assignment|output
    action|activity
""")
IMPOSSIBLE = either(r"""
    cannot|can not|can['’]?t|impossible|violat\w+|beyond the|out of scope|unable
    not (?:be |something|possible|completed|fulfilled|answered|done|supported|suitable|applicable)
    requires? (?:\w+ )?(?:visual|physical|human|access)|involves (?:creating|drawing)
""")
TASK = {
    "involves": (
        r"^\W*(?:i am |i['’]m )?(?:very |so )?(?:sorry|unfortunately)[^|]*? (?:this|the)"
        r" (?:task|instruction|request) (?:involves|requires)"
    ),
    "is impossible": (
        r"(?:^\W*|\b(?:sorry|unfortunately|afraid|apologies|apologize),?(?: but)?(?: that)? )"
        r"(?:this|the|that|such|your)(?: (?:type|kind|sort) of| particular| specific)?(?: \w+)? ?"
        rf"{TASKS}\b[^|]*?\b{IMPOSSIBLE}"
    ),
    "no output": either(r"""
        ^\W*no ?output(?:\W*$|[\s,.:(-]+(?:possible|required|needed|available|as|because|since))
        ^\W*no ?output\W+(?:the task|gpt|cannot|this)
        ^\W*(?:not (?:possible|applicable|available|supported)\b|n/a ?[(（]|output not)
        ^\W*unable to (?:perform|complete|process|fulfil)
        ^\W*(?:sorry, )?(?:this|it|that) (?:cannot|can['’]?t) be (?:done|completed|answered)
        ^\W*(?:sorry, )?(?:this|it|that) (?:cannot|can['’]?t) be (?:performed|executed|fulfilled)
    """),
}

# --- Sentences that refuse -----------------------------------------------------------------------

BEGINS = rf"(?:^[^|]*?|[,;:.–—-]\s*|\b(?:but|and|so|that|therefore)\b,? |{REGRET}[^|]*?)"
# Whatever was asked for: these are nobody's letter.
FLAT = {
    "the request": rf"{I_CANNOT}[^|]*?{THE_REQUEST}",
    "the rules": RULES,
    "will not serve": (
        rf"{BEGINS}{I_CANNOT}(?: and (?:will not|won['’]t|cannot|can['’]t))?"
        rf"(?: to| be able to| in any way| even|,|{ADVERBS})* {SERVE}"
    ),
    "not for me": (
        r"\b(?:not (?:be )?|in|un|isn['’]t |wouldn['’]t be |never )(?:appropriate|possible|ethical"
        r"|right|proper|acceptable|okay|feasible|my place|legal) (?:for me\b|to (?:provide|generate"
        r"|write|make (?:jokes|fun)|assist|rank|discuss|share|give|create|comment|joke|mock|insult"
        r"|help)\b)"
    ),
    "no can do": r"^\W*(?:sorry,? ?)?(?:no can do|not happening|hard pass|no deal)\b",
    "neutral": (
        r"\bi (?:(?:aim|try|strive) to )?(?:remain|stay|am|be) (?:\w+ )?(?:neutral|impartial)\b"
    ),
    "too recent": either(rf"""
        \bmy (?:\w+ )?(?:knowledge|training|information|data)\b[^|]*?20[012]\d[^|]*?\b{CANNOT}
        \bmy (?:\w+ )?(?:knowledge|training|information|data)\b[^|]*?20[012]\d[^|]*?\b{LACKS}
        \bi was (?:last )?(?:trained|updated)\b[^|]*?20[012]\d[^|]*?\b{CANNOT}
    """),
}
# Only beside a word of harm.
FLATLY = r"^\W*(?:sorry,? ?)?(?:absolutely not|no way|nope)\b"
RECALLS = either(r"""
    know\b|understand|recogni[sz]e|idea|clue|follow|get what|remember|recall|keep|retain|see
    hear|read minds|track
""")
SIDES_WITH = either(r"""
    take|pick|choose|endorse|have|hold|express|comment|discuss|engage|provide|participate|give
    offer|share|speculate|do|play|make|own|possess|get|form|age|watch|listen|go|wear|live
""")
HERE = r"(?:here|this (?:chat|conversation|interface|platform|environment|session))"
# Only where nobody asked for a letter, a scene or an excuse, and only as an opening.
PLAIN = {
    "and so cannot": (
        r"\bi(?:['’]m| am) (?:not |only |just |merely )*(?:an?|your|the)\b[^|]*?"
        rf"(?:\band|\bso|,|;)(?: (?:i|\w+ly))* {CANNOT}\b"
    ),
    "cannot": I_CANNOT,
    "could not": either(rf"""
        {REGRET}[^|]*?{COULD_NOT}
        {COULD_NOT} (?:quite |really )?(?:tell you|catch|understand|find any|possibly|say|follow)
    """),
    "has no self": rf"{I_LACK} (?:\w+,? ){{0,5}}?{SELFHOOD}",
    "has no access": rf"{I_LACK} (?:\w+,? ){{0,4}}?{ACCESS}\b",
    "does not know": either(rf"""
        \bi (?:do not|don['’]t|dunno|have no|can['’]?t|cannot)(?: (?:\w+ly|quite|even))? {RECALLS}
        \bi(?: a|['’])m not (?:sure what|familiar|aware)|\bno idea\b[^|]*\bi\b
    """),
    "takes no side": rf"\bi (?:do not|don['’]t|never|won['’]t) (?:\w+ )?{SIDES_WITH}\b",
    "not something": (
        r"\b(?:is|are|was|would be)(?:n['’]t| not) (?:\w+ )?(?:something|anything|possible"
        r"|available"
        r"|supported|within|allowed|permitted|accessible|a (?:thing|topic|subject)|part of|right"
        rf"|ok|okay|applicable|an option)\b[^|]*?\b(?:me|my|i|{HERE})\b"
    ),
    "beyond me": either(r"""
        \b(?:beyond|outside|out of|exceeds?) (?:of )?(?:me|my|what i)\b
        \b(?:beyond|outside) the (?:scope|limits|range|realm|bounds) of (?:my|what i|this)\b
        \b(?:is|are) (?:not|n['’]t) (?:one )?of my (?:abilities|capabilities|functions|features)
    """),
    "no way": either(r"""
        \bno way (?:for me|of knowing|to (?:know|tell|find|verify|check))|\bnot in my power\b
        \b(?:impossible|not possible) for me\b|n['’]t available to me\b
        (?:\bnot|n['’]t) (?:apply|exist|available) (?:to|for) me\b
    """),
    "only this": either(r"""
        \bi(?:['’]m| am)? (?:can |could )?(?:only|just|strictly) (?:able |here )?(?:to )?SERVES
        \bmy (?:\w+ )?(?:abilities|functions?|functionality|capabilities|expertise|scope) LIMITED
        \bmy (?:\w+ )?(?:purpose|role) LIMITED
    """)
    .replace(
        "SERVES",
        r"(?:answer|help with|assist|discuss|process|handle|provide|work with|deal|communicat"
        r"|text|read|talk)\w*",
    )
    .replace("LIMITED", "(?:is|are) (?:currently )?(?:limited|restricted|confined|only)"),
    "elided": (
        rf"^\W*(?:{REGRET}[,.! ]*(?:but )?)?(?:can['’]?t|cannot|unable to|not able to|not helping"
        r"|won['’]t|not going to|didn['’]t (?:catch|get|understand|quite)|don['’]t (?:know|have"
        r"|understand)|no (?:access|idea|clue|comment))\b"
    ),
    "nobody can": (
        r"\b(?:no ?(?:body|one)|none)\b[^|]*?\b(?:know|predict|tell|say)\b[^|]*?"
        r"\b(?:neither (?:can|do)|nor (?:can|do)|not even) i\b"
    ),
}
NEGATION = either(r"""
    not|no|none|never|nothing|neither|nor|cannot|unable|without|beyond|outside|unknown|hidden
    foreign|impossible|unavailable|unfamiliar|dark|lost|refuse|decline|lack|out of|off limits
    (?:do|ca|wo|have|would|could|should|must|need)n['’]t
""")
AUXILIARY = either(r"""
    am|was|have|do|got|see|can|would|will|could|must|should|in|at|have to|prefer|choose|going
    happy|here|say|to|a|the|answer|know|take|really|currently|simply|just|only|personally
""")
# It denies something of itself, in whatever words: the speaker and the negation in one clause.
DENIES = {
    "i do not": rf"{I_DO}(?: {AUXILIARY})*? {NEGATION}\b",
    "not me": either(rf"""
        \b{NEGATION}(?: [\w'’-]+){{0,7}}? (?:(?:for|to|from|of|by|with|my|beyond) )+BOUNDS\b
        \b(?:to|for|from) me(?: [\w'’]+){{0,3}} {NEGATION}\b
    """).replace("BOUNDS", "(?:me|reach|area|remit|power|abilities|hands|job|field|scope)"),
    "passes": either(r"""
        \bi(?:['’](?:m|d|ll|ve))?(?: \w+){0,4}? (?:pass on|stay out|say no|have to pass|opt out)\b
        \bi(?:['’](?:m|d|ll|ve))?(?: \w+){0,4}? (?:sit this|steer clear|draw the line|keep out)\b
        \bi(?:['’](?:m|d|ll|ve))?(?: \w+){0,4}? (?:turn (?:\w+ )?down|leave (?:that|this|it) to)\b
        \blet['’]?s (?:stop|not|talk about something|change the)|\ba no from me\b
        \b(?:something|one) i (?:have to|must|need to|will) (?:turn|decline|refuse|skip|pass)
        \bonly (?:a|your) (?:doctor|physician|lawyer|vet|professional)\b
    """),
}
# Said in either of two neighbouring sentences: "I'm an AI." "I do not ..."
AS_AI = either(rf"""
    {I_LACK}|{I_CANNOT}
    \blike (?:me|myself) (?:do not|don['’]t|cannot|can['’]?t|have no|lack|never|aren['’]t|are not)
    (?:n['’]t|\bnot|\bnever|\bno)\b[^|]*?\b(?:for|to|beyond) (?:me|myself)\b
    (?:,|\band|\bso|\bbut|;) (?:(?:therefore|thus|so|simply|just|really) )?(?:have no|cannot)\b
    (?:,|\band|\bso|\bbut|;) (?:(?:therefore|thus|so|simply|just|really) )?(?:can['’]?t|do not)\b
    (?:,|\band|\bso|\bbut|;) (?:never|don['’]t|lack|unable|not able|incapable)\b
""")
# Of its kind: about itself where the user speaks to it.
OF_ITS_KIND = (
    r"^\W*(?:ais?|language models?|chat-?bots?|machines|ai (?:models|assistants|systems))"
    r" (?:do not|don['’]t|cannot|can['’]?t|have no|lack|never|are not|aren['’]t)\b"
)

# --- What is no refusal, and what is no answer ---------------------------------------------------

IDIOMS = either(r"""
    \b(?:cannot|can['’]?t|can not|couldn['’]t|could not)[^.!?]*? (?:enough|too \w+|more highly)\b
    \b(?:cannot|can['’]?t|couldn['’]t|could not) (?:wait|help but|believe|imagine|stress)\b
    \b(?:cannot|can['’]?t|couldn['’]t|could not) (?:overstate|emphasi[sz]e|go wrong)\b
    \b(?:cannot|can['’]?t|couldn['’]t|could not) (?:agree more|complain)\b
    \b(?:cannot|can['’]?t|couldn['’]t|could not) (?:stop \w+ing|stand|resist|live without)\b
    \b(?:if|when|whenever|unless|until|once|although|though|while) (?:i|you|we)\b[^,.!?|]*
    \bi(?:['’]m)? (?:think|believe|guess|assume|feel|hope|bet|suppose|sure|glad)\b[^.!?|]*
    \bnot only\b|\bno (?:doubt|wonder|matter|problem|worries|need)\b|\bhave no choice\b
    \b(?:do not|don['’]t) (?:mind|worry|forget|hesitate)\b|\bwon['’]t (?:regret|disappoint)\b
    \bi (?:don['’]t|do not|never) (?:store|sell|collect)\b
    \bi (?:don['’]t|do not) (?:think|believe)\b|\bnot to mention\b
    \b(?:not|never) (?:just|merely|simply)\b|\bwhy not\b|\bif not\b|\bor not\b
""")
TURN = (
    either(r"""
    but|however|that said|that being said|having said that|nevertheless|nonetheless|instead
    still|in general|generally|here (?:is|are)|here['’]s|i can (?:still )?(?:name|tell you)
    i can (?:still )?(?:offer you|give you|explain|describe|share|imagine|say that|suggest some)
""")
    + r"\b"
)
# Sentences that send the user elsewhere or offer help: they answer nothing.
ADVICE = (
    r"\b"
    + either(r"""
    (?:suggest|recommend|advise|encourage|urge) (?:that )?(?:you|consult|check|visit|contact|using)
    (?:suggest|recommend|advise) (?:search|refer|seek|reach|speak|talk|look)|consult\w*|please
    could you|can you|would you (?:like|mind)|if you['’]?|let me know|feel free|happy to|glad to
    love to|is there|anything else|i can (?:\w+ )?(?:help|assist|answer|chat|offer|provide|try)
    i['’]m here|i am here|many (?:online )?(?:tools|resources|websites)|reach out|get in touch
    it(?:['’]s| is) (?:best|important|always|crucial|essential|recommended)
    you (?:may|might|could|can|should) (?:want|wish|try|check|consult|contact|ask|use|visit|find)
    you (?:may|might|could|can|should) (?:look|also|paste|send|share|always|still|speak|talk|need)
    how (?:can|may) i|what (?:can|would|else)|instead\?|try (?:asking|to|a|checking)
    ask (?:me|a|your|someone)|(?:additional|more) (?:information|details|context)
    i(?:['’]m| am) (?:here|designed|programmed|trained|built|made|only)
    i understand|i(?:['’]d| would) (?:suggest|recommend|encourage|be)|i (?:aim|strive|try)
    my (?:purpose|goal|role|aim) is|take care|hotline|emergency|professional
""")
    + r"\b"
)
