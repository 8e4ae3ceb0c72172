"""How English responses say who they are, and how they refuse. Case does not count."""

from tasks.assistant.patterns import RefusalWords, any_of, either

# --- Names -----------------------------------------------------------------------------------

# Names that only a model bears.
MODELS = either(r"""
    chat ?gpt(?:[- ]?\d(?:\.\d)?)?(?: plus| pro)?
    (?:openai['’]?s )?gpt[- ]?\d(?:\.\d)?o?(?:[- ](?:turbo|mini))?
    instructgpt|text-davinci-\d+
    claude[- ]?(?:v?\d(?:\.\d)?|instant|opus|sonnet|haiku)(?:[- ][\w.]+)?|anthropic['’]?s claude
    google['’]?s? (?:bard|gemini|assistant)|google deepmind['’]s gemini
    gemini (?:pro|ultra|nano|\d(?:\.\d)?)(?: \w+)?|gemma[- ]?\d*|lamda|palm[- ]?2
    bing chat|bing ai|microsoft copilot|github copilot
    (?:meta['’]?s? )?llama[- ]?\d(?:\.\d)?(?:[- ]chat)?|blenderbot
    stanford alpaca|vicuna(?:[- ]?\d+b)?|wizardlm|koala-13b|dolly[- ]?v?\d|falcon[- ]?\d+b
    mistral(?: 7b| large| ai)?|mixtral|stablelm|open ?assistant|command[- ]r\+?
    deepseek(?:[- ]?(?:v\d|r\d|chat|coder|llm))*
    qwen[- ]?[\d.]*(?:-chat)?|tongyi qianwen|chat ?glm[- ]?\d*b?|ernie bot|wenxin yiyan
    baichuan[- ]?\d*|internlm|moss|kimi|doubao|minimax|hunyuan|yi-\d+b|pangu|xverse|sensechat
    spark ?desk
""")
# Names that people, animals and stars bear too: a claim only beside a word of the trade.
SHARED_NAMES = either(r"""
    claude|bard|gemini|alexa|siri|cortana|bixby|sydney|alpaca|llama|belle|ernie|grok|copilot
    koala|dolly|falcon|replika|xiaoice|character\.ai|bing|pi
""")
# Makers who make models and nothing else, and makers that also employ and train people.
LABS = either(r"""
    open ?ai|anthropic|(?:google )?deepmind|google (?:ai|brain|research)|(?:meta|facebook) ai
    mistral(?: ai)?|deepseek|moonshot(?: ai)?|zhipu(?: ?ai)?|baichuan|01\.ai|x\.?ai|cohere
    stability ai|hugging ?face|lmsys|large model systems organi[sz]ation|laion|eleuther ?ai
    inflection|alibaba cloud|damo academy|tongyi lab|minimax|sensetime|iflytek
""")
FIRMS = either(r"""
    google|meta|facebook|microsoft|baidu|alibaba|tencent|bytedance|huawei|amazon|apple|ibm
    nvidia|databricks|tsinghua|stanford|fudan|berkeley|salesforce|samsung
""")
MAKERS = f"(?:{LABS}|{FIRMS})"
NAMED = any_of([rf"\b(?:{MODELS}|{SHARED_NAMES}|{MAKERS})\b"])
# One of these is in every name above.
NAME_PARTS = """
    gpt davinci claude anthropic openai google gemini gemma bard lamda palm deepmind
    bing sydney copilot microsoft cortana xiaoice llama facebook blenderbot alpaca stanford
    vicuna lmsys wizardlm mistral mixtral deepseek qwen tongyi alibaba damo glm zhipu tsinghua ernie
    wenxin baidu baichuan internlm moss fudan kimi moonshot doubao bytedance minimax hunyuan tencent
    01.ai yi- stablelm stability laion eleuther koala dolly databricks falcon command cohere pangu
    huawei xverse sensechat sensetime sparkdesk spark iflytek grok x.ai xai hugging inflection
    replika character.ai belle alexa amazon siri apple bixby samsung ibm nvidia salesforce
    berkeley
""".split()  # noqa: SIM905 (a list of seventy would hide what it holds)
NAME_PARTS += ["open ai", "open assistant", "openassistant", "meta ai", " meta", "large model sys"]
CUTOFF_PARTS = [
    *("my knowledge", "my training", "my information", "my data", "my last", "my latest"),
    *("my most recent", "i was last", "my current knowledge", "my cutoff", "my cut-off"),
]

# --- Words of the trade ----------------------------------------------------------------------

TRADE = either(r"""
    ai|a\.i\.|artificial intelligence|llm|model|chat-?bot|bot|neural network|computer program
    (?:language|chat|conversational|generative) (?:model|ai|agent)
    (?:(?:virtual|digital|voice|personal|ai|helpful) )?assistant|ai companion
""")
ADJECTIVE = either(r"""
    advanced|large(?:-scale)?|powerful|helpful|friendly|new|free|open(?:[- ]source)?|modern|simple
    state-of-the-art|cutting-edge|pre-?trained|generative|text-based|sophisticated|multilingual
    multimodal|smart|digital|virtual|intelligent|conversational|automated|personal|experimental
    humble|mere|(?:type|kind|form|piece|product) of|language|ai|artificial|intelligence|neural
    (?:machine|deep)[- ]learning|transformer|computer|software|chat|bilingual|responsible
    largest|latest|newest|best|capable|own|next-generation
    \w+-(?:based|trained|powered|tuned|driven)
""")
TRAINED = either(r"""
    trained|developed|created|built|made|designed|fine-?tuned|programmed|produced|released
    launched|provided|powered|engineered|forged|invented|brought to life|coded
""")
CREATED = (
    "(?:developed|created|built|made|designed|programmed|released|powered|invented|engineered)"
)
AND_MORE = (
    r"(?:,? (?:and|or) \w+)?"
    r"(?: (?:entirely|jointly|exclusively|primarily|specifically|originally|solely|together))?"
)
THE_TEAM = (
    r"(?: (?:the|a|an|team|teams|researchers|engineers|company|firm|people|folks|scientists|group"
    r"|mateys|developers|at|of|from|in|called|named|organi[sz]ation|lab|us|american|chinese"
    r"|research|united states|by|startup|is|good))*"
)
WHICH_WAS = (
    r"(?:,? (?:that|which|who|and|i|was|is|were|am|been|being|has|have|language|model|assistant|"
    r"chat-?bot|system|program|agent|specifically|originally|recently|here|independently|jointly|"
    r"(?:called|named|known as) [\w.-]+))*,?"
)
BY_MAKER = rf"{AND_MORE}[^.!?\n|]*? (?:by|at|from){THE_TEAM}"

I_AM = (
    r"\b(?:i am|i['’]m|i be|i was|i['’]ve been|i have been|it['’]s me,?|it is me,?)\b"
    r"(?: (?:actually|just|really|simply|indeed|in fact|only|called|named|known as|also|currently|"
    r"still|now|proudly|of course|first|originally|initially|myself))*"
)
ARTICLE = r"(?: (?:an?|the|your|one of))?"
KIND = (
    rf"(?: (?:{ADJECTIVE}|latest|version|variant|instance|model|of|the|an?|chatbot|bot|assistant|"
    rf"voice|called|named|known as|{MAKERS}(?:['’]s)?))*?"
)
# After its name a claim stops, or goes on about itself; "a ChatGPT user" does neither.
STOPS = (
    r"(?:\s*(?:$|[,.!?;:()\n—–*…，。！|-])"
    r"| (?:and|but|from|by|an?|the|at|here|so|or|which|with|version|based|running|in|to|as|who|"
    rf"that|language|large|speaking|{TRAINED}|{TRADE})\b)"
)
OF_THE_TRADE = (
    r"\b(?:[,;.!—–-]*"
    r"(?: (?:and|but|so|i am|i['’]m|i was|i|am|was|is|an?|the|your|their|our|its|one of|from|here|"
    rf"also|just|{ADJECTIVE}|{MAKERS}(?:['’]s)?),?)*?"
    rf" (?:{TRADE}|{LABS}|{TRAINED} (?:by|at){THE_TEAM} {MAKERS}|chat mode|trained on)"
    r"|[^\n|]{0,40}?[.!] how (?:can|may) i (?:help|assist)"
    rf"|[,;]? (?:and )?{MAKERS} (?:{TRAINED}) me)\b"
)
MY_MAKER = (
    r"\bmy (?:original |human |own )?(?:creator|developer|maker|designer|engineer|trainer|owner"
    r"|manufacturer|provider|programmer|parent compan|compan|parent|boss)(?:s|y|ies)?\b"
)
TALKING_TO = r"\byou(?: are|['’]re)(?: now| currently)? (?:talking|chatting|speaking|using)"

# --- Who the response says it is ---------------------------------------------------------------

CLAIMS = {
    # I am ChatGPT; I'm an AI language model called GPT-4.
    "is a model": rf"{I_AM}{ARTICLE}{KIND} {MODELS}{STOPS}",
    "is of that name": rf"{I_AM}{ARTICLE}{KIND} {SHARED_NAMES}{OF_THE_TRADE}",
    "is not one but another": (
        rf"{I_AM} not (?:{MODELS}|{SHARED_NAMES})[,;]? but (?:rather )?(?:{MODELS}"
        rf"|{SHARED_NAMES})\b"
    ),
    "is called": (
        rf"{I_AM}(?: an?)?(?: {ADJECTIVE})* (?:{TRADE}|system)(?: from {MAKERS})?,? "
        rf"(?:called|named|known as) (?:{MODELS}|{SHARED_NAMES})\b"
    ),
    # I am a large language model trained by Google.
    "is a model by": (
        rf"{I_AM}(?:(?: [\w.-]+,)? (?:an?|the|your|one of the)(?: {ADJECTIVE})*)? {TRADE}"
        rf"(?:{WHICH_WAS}|,[^.!?\n|]*?) {TRAINED}{AND_MORE} (?:by|at|from){THE_TEAM} "
        rf"{MAKERS}\b"
    ),
    "is powered by": (
        rf"(?:{I_AM}|\b(?:as|being))(?: an?)?(?: {ADJECTIVE})* {TRADE} (?:powered by|based on"
        rf"|built on|running on)"
        rf"(?: {MAKERS}['’]s)? (?:{MODELS}|{SHARED_NAMES})\b"
    ),
    # I was trained by OpenAI; I was created by Google. A firm trains people too, but creates none.
    "is named in passing": (
        r"(?:^|[.!?]\s+)i(?: am|['’]m) (?:claude|bard|gemini|siri"
        r"|alexa), (?:so|and|but|not)\b"
    ),
    "was made by a lab": rf"{I_AM} (?:pre-?)?{TRAINED}{BY_MAKER} {LABS}\b",
    "was made by a firm": (
        rf"{I_AM} {CREATED}{BY_MAKER} {FIRMS}(?:[,.;!]|$| (?:to|in|as|and|for|so"
        rf"|but|on)\b)"
    ),
    "was trained by a firm": rf"{I_AM} (?:pre-?)?trained by {FIRMS} (?:on|with|using)\b",
    # I am Google's language model.
    "is the maker's": (
        rf"{I_AM}{ARTICLE} {MAKERS}(?:['’]s)?(?: [\w-]+){{0,3}}? "
        r"(?:language model|ai|chat-?bot|model|virtual assistant|ai assistant)\b"
    ),
    # As ChatGPT, I ...; as a language model trained by OpenAI, ...
    "as a model": rf"\b(?:as|being){ARTICLE}{KIND} {MODELS}(?: model)?,? (?:i|my)\b",
    "as a model by": (
        rf"\b(?:as|being) an?(?: {ADJECTIVE})* {TRADE}{WHICH_WAS} {TRAINED}{AND_MORE} by{THE_TEAM}"
        rf" {MAKERS}\b"
    ),
    "is a model that": (
        rf"{I_AM}(?: an?)?(?: {ADJECTIVE})* {TRADE} (?:that|which) {MAKERS} (?:has "
        rf"|have )?{TRAINED}\b"
    ),
    "like its kin": (
        rf"\blike (?:all |most )?other [^.,\n|]{{0,20}}(?:{MODELS}|gpt)[^.\n|]{{0,30}}, i\b"
    ),
    # My name is ChatGPT; you can call me Claude, an AI; I go by GPT-4; I, ChatGPT, ...
    "gives its name": (
        r"\b(?:my name is|my name['’]s|my name:|(?:you (?:can|may) |people |they )?call me|i go by"
        r"|i call myself"
        r"|this is|named me|my name,)"
        rf"{ARTICLE} (?:{MODELS}{STOPS}|{SHARED_NAMES}{OF_THE_TRADE})"
    ),
    "names itself": rf"\b(?:i|me), (?:{MODELS}|{SHARED_NAMES}),",
    "speaks up": (
        rf"(?:^|[.!?\n,]\s*|(?u:\p{{So}})\s*)(?:this is )?(?:{MODELS}|claude|bing|siri) (?:here"
        rf"|speaking|at your service)"
        r"(?:[,.!;]|$)"
    ),
    "this is": rf"(?:^|[.!?\n,] ?)this is (?:{MODELS}|{SHARED_NAMES})[.!]",
    # You are talking to GPT-4; ChatGPT, the model you are talking to; this assistant, ChatGPT, was
    "one talks to it": (
        rf"{TALKING_TO} (?:to |with )?(?:{MODELS}|{SHARED_NAMES}[,.]"
        rf"|an?(?: {ADJECTIVE})* {TRADE} (?:called|named|by|from) (?:{MODELS}|{SHARED_NAMES}"
        rf"|{MAKERS}))"
    ),
    "the model one talks to": rf"\b{MODELS}, the [\w ]{{1,30}}? (?:that |which )?{TALKING_TO[2:]}",
    "this assistant": (
        rf"\bthis (?:ai |virtual )?(?:assistant|chat-?bot|model|bot|ai),? (?:called |named )?"
        rf"{MODELS}, (?:was|is)\b"
    ),
    # I am based on GPT-4; I run on OpenAI's GPT-3.5 architecture.
    "under the hood": (
        rf"\b(?:under the hood|behind the scenes|internally),? i (?:use|run|am"
        rf"|rely)[^.!?\n|]*?{MODELS}\b"
    ),
    "runs on": (
        rf"(?:{I_AM} (?:based|built|running|powered)|\bi run|"
        r"\bmy (?:underlying )?(?:model|architecture|technology) is)"
        r"(?: (?:on|upon|by|top|of|the|an?|based|large|language|model|called|version|"
        rf"{MAKERS}['’]s))* {MODELS}\b"
    ),
    # OpenAI created me; my creator is Anthropic; I come from OpenAI.
    "a lab made me": (
        rf"\b{LABS}\b[^.!?\n|]*?\b(?:{TRAINED}|train|develop|create|maintain|switched|teach|taught"
        rf"|fed|feed|host"
        r"|update|wrote|named|responsible for|rules for|tuned|taught)s? me\b"
    ),
    "a firm made me": (
        rf"\b{FIRMS}(?:, (?:who|which|that)|, the [\w ]{{1,20}}? (?:that|which|who))?"
        rf" (?:has |have |had )?(?:{CREATED}|named) me\b"
    ),
    "who made me": (
        rf"\b(?:company|organi[sz]ation|lab|team|people|firm|one|ones) "
        rf"(?:behind|responsible for|(?:who|that|which) (?:{TRAINED}|runs?|owns?)) me (?:is|are"
        rf"|was){THE_TEAM} {MAKERS}\b"
    ),
    "my maker": (
        rf"{MY_MAKER}(?:,| is| are| was| were| at| from| of)*{THE_TEAM} {MAKERS}\b"
        rf"|\b{MAKERS} is {MY_MAKER[2:]}"
    ),
    "where it comes from": rf"\bi (?:come|hail|originate) from {LABS}\b|\bi belong to {MAKERS}\b",
    # My knowledge cutoff is September 2021: nobody but a model has one.
    "knowledge cutoff": (
        r"\bmy (?:last |latest |current |most recent )*(?:knowledge|training|information"
        r"|data(?:base)?)"
        r"[^.!?\n|]{0,40}?\b(?:cut[- ]?off|only|ends?|ended|goes|extends?|until|updated?"
        r"|current|stops?|limited|as of|through|up to)\b[^.!?\n|]{0,40}?\b20[012]\d"
    ),
    "knowledge cutoff unnamed": (
        r"\bmy (?:last |latest )?(?:knowledge|training)(?: data)?(?:['’]s)? cut[- ]?off"
        r"|\bas of my (?:last|latest|most recent) (?:knowledge |training )?(?:update|training)\b"
    ),
    "has a date": (
        r"\bmy (?:training data|knowledge base|training set) (?:does|do|did)(?: not|n['’]t)"
        r" (?:include|contain|cover|extend)"
    ),
    "was last trained": r"\bi was last (?:trained|updated) [^.!?\n|]{0,20}?\b20[012]\d",
}
CLAIM = f"({any_of(CLAIMS.values())})"
FIRST_PERSON = r"(?i)(?-u:\b)(?:i|i['’]m|i['’]ve|me|my|this|you|your|as|here)(?-u:\b)"

# Where nobody asked for a letter or a scene, "I" is the assistant itself: a sentence about itself
# that names a model or a lab is a claim, unless it denies, compares, uses, recommends or admires.
OTHERS = either(r"""
    not|unlike|than|like|with|never|knows?|heard|no|wasn['’]t|other|used?|using|asked?|fan|users?
    familiar|aware|happy|glad|sure|confident|fascinated|learning|testing|reading?|interested|about
    grateful|employee|investor|work|working|hired|recommend|suggest|think|believe|referring|compare
    competitor|favou?rite|smart as|writing|apply|going to|enthusiast|researcher|moving|becomes
""")
OF_OTHERS = any_of(
    [
        (
            rf"(?:\b{OTHERS}\b|n['’]t\b|\b(?:let|tell|give|ask|excuse|believe|show) me\b"
            r"|\ban? [\w-]+ (?:researcher|user|engineer|expert|developer|subscriber|fan)s?)"
            r"[^.!?;,\n|]*"
        ),
    ]
)
SELF = (
    r"\b(?:i am|i['’]m|i was|i were|i['’]ve been|me|my|mine|i, |i follow|i run on|i call myself"
    r"|using is)"
)
SAYS_OF_ITSELF = any_of(
    [
        rf"{SELF}\b[^.!?\n|]*?\b(?:{MODELS}|{LABS})\b",
        rf"\b(?:{MODELS}|{LABS})\b[^.!?\n|]*?\b(?:me|mine|i was|i am|i['’]m)\b",
    ]
)
SAYS_OF_ITSELF = f"({SAYS_OF_ITSELF})"
# "Are you ChatGPT?" "Yes."
ASKED_WHO = any_of(
    [
        (
            rf"\b(?:are you|you are|you['’]re|is your name|were you|is this)(?: an?| the| actually"
            rf"| really| just)*(?: (?:{TRAINED}) by)?(?: {MAKERS}['’]s)? (?:{MODELS}|{SHARED_NAMES}"
            rf"|{MAKERS})(?:,? right)?\s*\?"
        )
    ]
)
YES = ["yes", "yeah", "yep", "correct", "right", "indeed", "exactly", "i am"]
AGREES = r"(?i)^\W*(?:yes|yeah|yep|correct|right|indeed|exactly|that['’]s (?:right|correct)|i am)\b"

# --- How it refuses ----------------------------------------------------------------------------

SENTENCE = r"[^.!?\n|]"
CANNOT = either(r"""
    cannot|can['’]?t|can not|could not|couldn['’]t|will not|won['’]t|would not|may not|never
    do not|don['’]t|did not|didn['’]t|have not|haven['’]t|have no|lack|must decline|must refuse
    (?:am |['’]m )?(?:not|unable|incapable)|had no
""")
I_CANNOT = (
    rf"\bi(?: am|['’]m|['’]ve)?(?: (?:simply|currently|also|personally|really|just))* ?{CANNOT}\b"
)
AN_AI = (
    rf"(?:an? |the |just |only |merely |simply |a mere )*(?:{ADJECTIVE} )*"
    r"(?:ai|a\.i\.|artificial intelligence|language model|llm|chat-?bot|model|(?:computer|software)"
    r" program|(?:virtual|digital) assistant|machine|robot|assistant|bot|system|tool|program)"
)
# "An AI engineer" is none.
AND_SO = (
    rf"(?:, ?{SENTENCE}*?| (?:and|that|which|with|without|by|like|designed|so|or|here|who|but"
    rf"|{MODELS}|{TRAINED})\b{SENTENCE}*?| )"
)
# What is asked of a model, and what it lacks: these tell a refusal from a friend's regret.
SERVICE = either(r"""
    assist\b|help (?:you|with|in)|provide|answer|fulfil|comply|generate|produce|access|browse
    open|see (?:images?|pictures?|any|the|your)|view|watch|listen|play|predict|process|perform
    complete (?:this|that|the|your)|give|support|engage|promote|condone|encourage|endorse
    reproduce|discuss|disclose|reveal|share|display|do (?:that|this|so)\b|make (?:phone )?calls
    place orders|recommend|determine|identify|translate|summari[sz]e|classify|analy[sz]e|interpret
    understand|recogni[sz]e|respond|advise|suggest|write|create|search|check|read|retain|remember
    store|send|participate|offer|express|tell you (?:what|who|the|how)|way (?:of|to)
    going to (?:help|assist|write|do|provide|tell)|diagnose|recall|set (?:up )?(?:a|an|timers
    alarms|reminders)|use (?:such|any|racial|offensive|that)|control|foresee|buy|look up|verify
    be able|feel|of (?:see|know|check)ing
    book|order (?:food|a|the|any)|retrieve|estimate|connect to|schedule|process|physically|draw
    design
""")
TO_SERVE = rf"(?:to |able to |capable of |in a position to |directly |currently )*{SERVICE}"
SELFHOOD = either(r"""
    anything
    opinions?|beliefs?|preferences?|feelings?|emotions?|experiences?|biases|consciousness|views?
    favou?rites?|tastes|memor(?:y|ies)|sides|desires|bod(?:y|ies)|eyes|ears|hands|famil(?:y|ies)
    childhood|parents|gender|age|birthday|hometown|friends|hobbies
""")
ACCESS = either(r"""
    access|the (?:ability|capability|capacity|means)|real-?time|up-to-date|live|a way to|way to
    (?:current|enough|sufficient|any|that|personal|specific) (?:data|information|context|details)
    information (?:on|about)|a (?:physical )?body|a physical (?:body|form)
""")
REGRET = r"\b(?:sorry|apologi[sz]e|my apologies|unfortunately|i['’]m afraid|i am afraid|i regret)\b"
THE_REQUEST = either(r"""
    (?:this|that|your|such an?|the) (?:\w+ )?(?:request|question|task|content|article|prompt)
    with (?:that|this|it|such)|such (?:\w+ )?(?:request|content|information|help)s?
""")

# Turned down by words that people do not use: as an AI, your request, my guidelines.
REFUSALS = {
    "as an AI": (
        rf"\b(?:as|being|because i['’]m|since i['’]m|since i am|because i am) {AN_AI}{AND_SO}"
        rf"{I_CANNOT}"
    ),
    "is an AI": (
        rf"^(?:{SENTENCE}{{0,40}}[.!,] )?{SENTENCE}{{0,30}}?\bi(?: am|['’]m) (?:{AN_AI}|{MODELS})"
        rf"{AND_SO}\b(?:{CANNOT})\b"
    ),
    "remains neutral": r"\bi (?:remain|stay|am) neutral\b",
    "for it is an AI": (
        rf"{I_CANNOT}{SENTENCE}*?\b(?:because|since|as|for) i(?: am|['’]m) (?:{AN_AI})\b"
    ),
    "the request": rf"{I_CANNOT} {TO_SERVE}{SENTENCE}*?\b{THE_REQUEST}",
    "no such text": (
        rf"^(?:{SENTENCE}{{0,30}}?{REGRET}{SENTENCE}*?)?{I_CANNOT} (?:to |help (?:you )?"
        rf"|be able to )*"
        r"(?:assist (?:you )?(?:in|with)|write|compose|generate|produce|create|draft|fulfil|comply"
        r"|condone|do (?:that|so)"
        r"|promote|forge|glorify)\b"
    ),
    "harm to others": (
        rf"{I_CANNOT} (?:to )?help you (?:create|write|make|get|build|find|do"
        rf"|with)\b"
    ),
    "harm": (
        rf"{I_CANNOT} {TO_SERVE}{SENTENCE}*?\b(?:harm\w*|illegal|malicious|malware|hateful"
        r"|misinformation|offensive|explicit|violen\w+|discriminat\w+|inappropriate|unethical"
        r"|weapons?)\b"
        rf"|{I_CANNOT} (?:to )?(?:assist|help)(?: you)? with\b"
    ),
    "too recent": (
        rf"\b(?:my (?:\w+ )?(?:knowledge|training|information|data)"
        rf"|i was last){SENTENCE}*?20[012]\d"
        rf"{SENTENCE}*?\b(?:{CANNOT}) (?:know|aware|have|provide|tell|be)\b"
    ),
    "no media": (
        rf"{I_CANNOT} (?:to )?(?:create|generate|draw|design|produce|display|show|play|render|edit"
        rf"|manipulate|make){SENTENCE}*?\b(?:visuals?|images?|pictures?|videos?|logos?|graphics?"
        r"|graphical|photos?|audio|paintings?|drawings?|illustrations?|graphs?|charts?)\b"
    ),
    "against the rules": (
        r"\b(?:against|violates?|contrary to|outside) (?:my|our) (?:\w+ )?"
        r"(?:guidelines|programming|polic(?:y|ies)|principles|values|rules)"
        r"|\bi must (?:respectfully )?(?:decline|refuse)\b"
        r"|\b(?:not (?:be )?|in|un)(?:appropriate|possible|ethical) (?:for me to\b|to (?:provide"
        r"|generate"
        r"|write|make (?:jokes|fun)|assist|rank|discuss|share|give|create|comment)\b)"
    ),
}
# You have not provided the text: these count even where the user gave a text to work on.
UNANSWERABLE = {
    "nothing given": (
        rf"^{SENTENCE}{{0,30}}{REGRET}{SENTENCE}*?(?:"
        r"\byou (?:have not|haven['’]t|did not|didn['’]t|need to) (?:\w+ )?(?:provide|include"
        r"|attach"
        r"|specif|give|share)"
        r"|\bthere(?:['’]s| is| are| was| were) no\b|\bno [\w ]{1,30}?(?:provided|given|attached"
        r"|included|here\b)|\bthere (?:is|are) no\b"
        r"|\bi (?:do not|don['’]t|cannot|can['’]t) (?:see|find) (?:any|a|the)\b"
        r"|\bnot (?:been )?(?:provided|given|attached|specified)\b"
        r"|\b(?:not|n['’]t) (?:provide )?enough (?:information|context|details))"
    ),
    # Sorry, the task involves creating an image; no output; this instruction cannot be completed.
    "the task": (
        r"^\W*(?:sorry,? |no ?output,? (?:as|because) )?(?:this|the) (?:type of )?(?:task"
        r"|instruction)\b"
        rf"{SENTENCE}*(?:[.!]{SENTENCE}*)?\b(?:cannot|can not|can['’]t|not possible|beyond the)\b"
        r"|^\W*(?:no ?output(?:\W*$|[\s,.-]+(?:possible|required|as (?:gpt|this|it|the)|because"
        r"|since|the task|gpt|cannot|this))"
        r"|n/a \(|unable to (?:perform|complete) this|sorry, this cannot be done)"
    ),
    "none there": (
        r"^(?:i['’]m afraid )?there (?:is|are|was|were|['’]s) no [\w ]{1,30}? (?:attached|provided"
        r"|included|in your)\b"
    ),
    "you gave nothing": (
        rf"^(?:{SENTENCE}*?\b(?:that|like|but|since|as|because|sorry|sure),? )?you (?:have not"
        rf"|haven['’]t"
        r"|did not|didn['’]t|seem to have forgotten|forgot) (?:\w+ )?(?:to )?"
        r"(?:provide|include|attach|specif|give|share|told|tell|mention|paste|upload)"
    ),
}
# Turned down in words that people use too: only at the start of an answer, and not where the
# user asked for a letter, a scene or an excuse.
OPENINGS = {
    "sorry": rf"{SENTENCE}{{0,20}}{REGRET}{SENTENCE}*?{I_CANNOT}",
    "cannot serve": (
        rf"(?:(?:unfortunately|currently|at (?:this|the) (?:time|moment)|no|oh|well"
        rf"|to be honest),? )*"
        rf"(?:{I_CANNOT} {TO_SERVE}|i am (?:unable|not able) to\b"
        r"|i['’]m (?:unable|not able) to\b)"
    ),
    "no access": rf"{SENTENCE}*?{I_CANNOT} (?:have )?(?:any |direct )?{ACCESS}",
    "not a doctor": (
        rf"i(?: am|['’]m) (?:not an?|neutral|only|just){SENTENCE}*?\b(?:and"
        rf"|so)\b{SENTENCE}*?\b(?:{CANNOT})\b"
    ),
    "not possible": rf"{REGRET}{SENTENCE}*?\bnot possible for me",
    "no self": (
        rf"{SENTENCE}{{0,20}}{I_CANNOT} (?:have |hold |possess |experience |take )?"
        rf"(?:(?:any|an?|personal|political|religious|human|own|subjective|real"
        rf"|physical) )*{SELFHOOD}\b"
    ),
    "illegal": (
        rf"{SENTENCE}*?\b(?:illegal|unethical|harmful|dangerous|crime|hurtful|wrong)\b{SENTENCE}*?"
        rf"{I_CANNOT} {TO_SERVE}"
    ),
}
TURN = (
    r"\b(?:but|however|that said|nevertheless|nonetheless|in general|generally|instead|still"
    r"|here (?:is|are|['’]s)|i can (?:still )?(?:name|tell|offer|give|explain|describe|share"
    r"|imagine))\b"
)
# Sentences that send the user elsewhere or offer help: they answer nothing.
ADVICE = (
    r"[^.!?\n:]*\b(?:(?:suggest|recommend|advise|encourage) (?:that )?(?:you|consult|check|visit"
    r"|contact|using|search|refer|seek|reach)\w*|consult(?:ing)?|please|could you|can you"
    r"|i can help"
    r"|i can assist|i can (?:certainly )?(?:provide|offer|suggest"
    r"|give) (?:you )?(?:with )?(?:\w+ ){0,3}"
    r"(?:information|guidance|help|assistance|advice)|if you|let me know|feel free|happy to|glad to"
    r"|love to|is there|anything else|many (?:online )?(?:tools|resources|websites)|it is (?:best"
    r"|important))\b"
    r"[^.!?\n:]*[.!?]?"
)
GREETING = r"^\W*(?:(?:oh|well|hello|hi|no|thank you|thanks)\b[^.!?\n|]{0,40}[.!,]\s*)?"
REFUSAL = RefusalWords(
    flat=any_of(REFUSALS.values()),
    unanswerable=any_of(UNANSWERABLE.values()),
    opening=any_of([rf"{GREETING}(?:{'|'.join(OPENINGS.values())})"]),
    turn=any_of([TURN]),
    advice=any_of([ADVICE]),
    opening_chars=240,
    answer_chars=80,
    max_chars=500,
)
REFUSAL_PARTS = [
    *("cannot", "can't", "can’t", "can not", "unable", "not able", "won't", "won’t", "will not"),
    *("don't have", "don’t have", "do not", "don't", "don’t", "sorry", "apologi", "apolog"),
    *("unfortunately", "decline", "refuse", "not appropriate", "inappropriate", "as an ai", "lack"),
    *("against my", "not possible for me", "have no", "incapable", "not capable", "i'm not"),
    *("never", "am not", "i’m not", "afraid", "did not", "didn't", "didn’t", "no output"),
    *("have not", "haven't", "haven’t", "not possible", "n/a", "forgot", "task", "instruction"),
]
