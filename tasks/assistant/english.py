"""How English responses say who they are, and how they refuse. Case does not count."""

from tasks.assistant.patterns import any_of, either

# --- Names -----------------------------------------------------------------------------------

# Names that only a model bears.
MODELS = (
    either(r"""
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
    baichuan[- ]?\d*|internlm|kimi|doubao|minimax|hunyuan|yi-\d+b|pangu|xverse|sensechat
    spark ?desk
""")
    + r"(?:[- ](?:instruct|chat|turbo|base|\d+b|v\d[\d.]*|pro|plus|large|mini|preview))*"
)
# Names that people, animals and stars bear too: a claim only beside a word of the trade.
SHARED_NAMES = either(r"""
    claude|bard|gemini|alexa|siri|cortana|bixby|sydney|alpaca|llama|belle|ernie|grok|copilot
    koala|dolly|falcon|moss|replika|xiaoice|character\.ai|bing|pi
""")
# Those of them that only an assistant would give for its own in passing.
HOUSE_NAMES = "(?:claude|bard|gemini|siri|alexa|bing)"
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
    *("my most recent", "i was last", "my current knowledge", "cutoff", "cut-off"),
    *("only know", "trained on", "trained until", "trained in", "trained up to", "i know about"),
    *(
        "i learned",
        "i learnt",
        "i'm aware of",
        "i am aware of",
        "i've seen",
        "i have seen",
        "stopped learning",
        "i have knowledge",
        "i have information",
        "i have data",
    ),
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
    \w+-(?:based|trained|powered|tuned|driven)|gpt|llm|text-only|purely
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
    r"\b(?:i am|i['’]m|im|iam|i be|i was|i['’]ve been|i have been|it['’]s me,?|it is me,?)\b"
    r"(?: (?:actually|just|really|simply|indeed|in fact|only|called|named|known as|also|currently|"
    r"still|now|proudly|of course|first|originally|initially|myself))*"
)
ARTICLE = r"(?: (?:an?|the|your|one of))?"
KIND = (
    rf"(?: (?:{ADJECTIVE}|latest|version|variant|instance|model|of|the|an?|chatbot|bot|assistant|"
    rf"voice|called|named|known as|{MAKERS}(?:['’]s)?))*?"
)
NAME = f"(?:{MODELS}|{SHARED_NAMES})"
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
    r"|[^\n|]*?[.!] how (?:can|may) i (?:help|assist)"
    rf"|[,;]? (?:and )?{MAKERS} (?:{TRAINED} me|is where i))\b"
)
MY_MAKER = (
    r"\bmy (?:original |human |own )?(?:creator|developer|maker|designer|engineer|trainer|owner"
    r"|manufacturer|provider|programmer|parent compan|compan|parent|boss)(?:s|y|ies)?\b"
)
TALKING_TO = (
    r"\byou(?: are|['’]re|['’]ve| have)?(?: (?:now|currently|actually|indeed|just|been|always))* "
    + either(r"""
    talking|chatting|speaking|using|interacting|communicating|conversing|connected|reached|dealing
    corresponding|typing|having a (?:chat|conversation)
""")
)
CALLED = either(r"""
    real|actual|full|own|given|official|first|proper|true|model|product
""")
AT_WORK = either(r"""
    answering|behind|powering|replying|writing|responding|serving|helping|that
""")
# How an assistant introduces a name as its own.
INTRODUCES = r"\b" + either(rf"""
    (?:my|the)(?: {CALLED})* name(?: is|['’]s|:|,| would be| happens to be)|i go by|i answer to
    (?:you (?:can|may|could|might) |people |they |users |everyone |just )?calls? me
    (?:known|referred to) (?:to \w+ )?as|i (?:call|named?) myself|this is|name given to me is
    (?:named|christened|dubbed|calling) me
    the (?:model|assistant|bot|ai|chat-?bot|system|program|llm|voice) {AT_WORK}[^.!?\n|]*? is
    the (?:one|model|version|bot|assistant) you(?:['’]re| are) (?:using|talking to)[^.!?\n|]*? is
    the (?:one|model|version|bot|assistant) you(?:['’]re| are) chatting with[^.!?\n|]*? is
    you['’]re reading[^.!?\n|]*? WRITTEN by(?: me,?)?
    this (?:note|reply|response|answer|message)[^.!?\n|]*? WRITTEN by(?: me,?)?
""").replace(
    "WRITTEN", "(?:generated|written|composed|drafted|produced|answered|powered|brought to you)"
)
# What a model has and its maker owns.
MY_PARTS = (
    r"\bmy (?:\w+ )?"
    + either(r"""
    source code|code|weights|servers?|parameters|training|architecture|development|creation
    existence|design|algorithms?|brain|technology|home|roots|origins?|birthplace
""")
    + r"\b"
)
IS_OWNED = either(r"""
    belongs?|owned|paid|published|released|hosted|maintained|secret|built|funded|done|handled|lies?
    are|is
""")
OWNS = either(r"""
    published|released|owns?|hosts?|maintains?|pays? for|keeps?|opened|licen[cs]ed|trained
""")

# What a model has learnt, and where that ends.
MY_LEARNING = r"\b" + either(r"""
    my (?:\w+ ){0,3}?(?:knowledge|training|information|data(?:base|set)?|update|learning)
    (?:things|what|everything|events|data|figures|text|knowledge|information) (?:that )?I_LEARNT
    i(?:['’]m| am)? only (?:know|aware|have (?:data|information|knowledge)|trained|familiar)
    i have (?:\w+ )?(?:knowledge|information|data)
    i (?:only )?know (?:about )?(?:things|events|the world)
""").replace(
    "I_LEARNT",
    r"i(?:['’]ve| have| was| am|['’]m)?(?: been)? (?:know|learn(?:ed|t)|trained on|aware of|have"
    r"|saw|seen|updated)",
)
UNTIL = either(r"""
    cut[- ]?off|only|ends?|ended|ending|goes|extends?|until|till|updated?|current|stops?|stopped
    limited|as of|through|up to|runs?|before|prior to|no later than|covers|reach(?:es)?|dates?|dated
    from|last|past|beyond|after|frozen|fixed
""")

# --- Who the response says it is -----------------------------------------------------------------

IS_AN_AI = rf"(?:{I_AM}|\b(?:as|being))(?: an?)?(?: {ADJECTIVE})* (?:{TRADE}|system)"
CLAIMS = {
    # I am ChatGPT; I'm an AI language model called GPT-4; my name is Claude, an AI; I go by GPT-4.
    "says its name": (
        rf"(?:{I_AM}{ARTICLE}{KIND}|{INTRODUCES}{ARTICLE})"
        rf" (?:{MODELS}{STOPS}|{SHARED_NAMES}{OF_THE_TRADE})"
    ),
    # I am an assistant called Claude; as a bot based on GPT-4; I am not Siri but ChatGPT.
    "is linked to a name": (
        rf"(?:{IS_AN_AI}(?: from {MAKERS})?,? (?:called|named|known as|powered by|based on|built on"
        rf"|running on)(?: {MAKERS}['’]s)?|{I_AM} not {NAME}[,;]? but(?: rather)?) {NAME}\b"
    ),
    # I, ChatGPT, ...; this is Claude speaking; ChatGPT, your AI helper; I'm Claude, so ...
    "names itself": either(rf"""
        \b(?:i|me)(?:, |,? ?[(–—-] ?){NAME}(?:,|\s?[)–—-])|(?:^|[.!?\n,] ?)this is {NAME}[.!]
        (?:^|[.!?\n,]\s*|(?u:\p{{So}})\s*)(?:this is )?(?:{MODELS}|{HOUSE_NAMES}) SPEAKING
        (?:^|[.!?]\s+)i(?: am|['’]m) {HOUSE_NAMES}, (?:so|and|but|not)\b
    """).replace("SPEAKING", "(?:here|speaking|at your service)(?:[,.!;]|$)"),
    "yours": (
        rf"\b{NAME},? (?:an? [\w ]{{1,30}}?, )?your (?:[\w-]+ ){{0,3}}?(?:assistant|helper"
        rf"|companion"
        r"|ai|bot|guide|buddy|friend|chat-?bot)\b"
    ),
    # I am a large language model trained by Google; as a model from OpenAI.
    "is a model by": (
        rf"(?:{I_AM}(?: [\w.-]+,)?|\b(?:as|being))(?: (?:an?|the|your|one of the)"
        rf"(?: {ADJECTIVE})*)?"
        rf" {TRADE}(?:{WHICH_WAS}|,[^.!?\n|]*?) {TRAINED}{AND_MORE} (?:by|at|from){THE_TEAM}"
        rf" {MAKERS}\b|{IS_AN_AI} (?:that|which) {MAKERS} (?:has |have )?{TRAINED}\b"
    ),
    # I was trained by OpenAI; I was created by Google. A firm trains people too, but creates none.
    "was made": either(rf"""
        {I_AM} (?:pre-?)?{TRAINED}{BY_MAKER} {LABS}\b
        {I_AM} {CREATED}{BY_MAKER} {FIRMS}(?:[,.;!]|$| (?:to|in|as|and|for|so|but|on)\b)
        {I_AM} (?:pre-?)?trained by {FIRMS} (?:on|with|using)\b
    """),
    # I am Google's language model; as an Anthropic model.
    "is the maker's": (
        rf"{I_AM}{ARTICLE} {MAKERS}(?:['’]s)?(?: [\w-]+){{0,3}}? (?:language model|ai|chat-?bot"
        rf"|model"
        rf"|virtual assistant|ai assistant)\b|\b(?:as|being) (?:an?|one of)(?: {ADJECTIVE})*"
        rf" {MAKERS}(?:['’]s)?(?: {ADJECTIVE})* {TRADE}s?\b"
    ),
    # As ChatGPT, I ...; like other models from OpenAI, I ...
    "as a model": (
        rf"\b(?:as|being){ARTICLE}{KIND} {MODELS}(?: model)?(?:, [^,.!?\n|]{{1,50}})?,? (?:i|my)\b"
        r"|\b(?:like|as with) (?:all |most |many |any |the |every )*other [^.,\n|]*?"
        rf"(?:{MODELS}|gpt|{MAKERS})[^.\n|]*?, i\b"
    ),
    # You are talking to GPT-4; ChatGPT, the model you are talking to; this bot runs on GPT-4.
    "one talks to it": (
        rf"{TALKING_TO} (?:to |with )?(?:the )?(?:{MODELS}|{SHARED_NAMES}[,.!;]"
        rf"|an?(?: {ADJECTIVE})* {TRADE} (?:called|named|by|from) (?:{NAME}|{MAKERS}))"
        rf"|\b{MODELS}, the [\w ]{{1,30}}? (?:that |which )?{TALKING_TO[2:]}"
    ),
    "this assistant": (
        r"\bthis (?:ai |virtual )?(?:assistant|chat-?bot|model|bot|ai|service|app|tool),? (?:"
        r"(?:called"
        rf" |named )?{MODELS}, (?:was|is)\b|(?:is|runs|was|uses|operates)(?: (?:powered|built|based"
        r"|running|developed|trained|driven|made|called))*(?: (?:by|on|with|from|top|of|the"
        rf"|{LABS}['’]s|an?|version))* (?:{MODELS}|{SHARED_NAMES}[.,!]))"
    ),
    # I am based on GPT-4; I run on OpenAI's GPT-3.5 architecture; under the hood I use Llama 2.
    "runs on": (
        r"\b(?:under the hood|behind the scenes|internally),? i (?:use|run|am|rely)[^.!?\n|]*?"
        rf"{MODELS}\b|(?:{I_AM} (?:based|built|running|powered)|\bi run|\bmy (?:underlying )?"
        r"(?:model|architecture|technology) is)(?: (?:on|upon|by|top|of|the|an?|based|large"
        r"|language"
        rf"|model|called|version|{MAKERS}['’]s))* {MODELS}\b"
    ),
    # OpenAI created me; my creator is Anthropic; I come from OpenAI; my weights belong to Meta.
    "a lab made me": (
        rf"\b{LABS}\b[^.!?\n|]*?\b(?:{TRAINED}|train|develop|create|maintain|switched|teach|taught"
        r"|fed|feed|host|update|wrote|named|responsible for|rules for|tuned)s? me\b"
    ),
    "a firm made me": (
        rf"\b{FIRMS}(?:,? (?:who|which|that)|, the [\w ]{{1,20}}? (?:that|which|who))?"
        rf" (?:has |have |had )?(?:(?:actually|originally|first) )?(?:(?:{CREATED}|named)"
        r" (?:and \w+ )?me\b|trained (?:and \w+ )?me(?:[.,;!]|$| (?:in|to|on|as|and)\b))"
    ),
    "who made me": (
        r"\b(?:company|organi[sz]ation|lab|team|people|firm|one|ones) "
        rf"(?:behind|responsible for|(?:who|that|which) (?:{TRAINED}|runs?|owns?)) me (?:is|are"
        rf"|was){THE_TEAM} {MAKERS}\b"
    ),
    "my maker": (
        rf"{MY_MAKER}(?:,| is| are| was| were| at| from| of)*{THE_TEAM} {MAKERS}\b"
        rf"|\b{MAKERS} is {MY_MAKER[2:]}"
    ),
    "my kin": (
        rf"\b{MODELS}\b[^.!?\n|]*?\bmy (?:\w+ )?(?:grand\w+|dad|father|mother|ancestor|predecessor"
        r"|brother|sister|sibling)\b"
    ),
    "my parts": (
        rf"{MY_PARTS}[^.!?\n|]*?\b{IS_OWNED}\b[^.!?\n|]*?\b{MAKERS}\b"
        rf"|\b{MAKERS}\b[^.!?\n|]*? {OWNS}[^.!?\n|]*? {MY_PARTS[2:]}"
    ),
    "where it comes from": (
        r"\bi (?:come|came|hail|originate|stem|started|began|grew|emerged)[^.!?\n|]*? (?:from|at|in"
        r"|out of|with)(?: (?:the|a|an|labs?|data cent(?:er|re)s?|offices?|servers?|research|team"
        rf"|hands|minds|of|at|company|called))* {LABS}\b|\bi belong to {MAKERS}\b"
    ),
    # My knowledge cutoff is September 2021: nobody but a model has one.
    "knowledge cutoff": either(rf"""
        {MY_LEARNING}[^.!?\n|]*?\b{UNTIL}\b[^.!?\n|]*?\b(?:19|20)\d\d\b
        \b{UNTIL}\b[^.!?\n|]*?{MY_LEARNING}[^.!?\n|]*?\b20[012]\d\b
        \bmy (?:last |latest )?(?:knowledge|training)(?: data)?(?:['’]s)? cut[- ]?off
        \bas of my (?:last|latest|most recent) (?:knowledge |training |data )?(?:update|training)\b
        \bmy (?:training data|knowledge base|training set) (?:does|do|did)(?: not|n['’]t) COVER
    """).replace("COVER", "(?:include|contain|cover|extend)"),
    "was last trained": (
        r"\bi (?:was|am|have been)(?: (?:last|only|most recently))* (?:trained"
        r"|updated)\b[^.!?\n|]*?"
        r"\b(?:in|until|till|through|up to|to|from|before|as of|are|is)\b[^.!?\n|]*?\b20[012]\d"
    ),
}
# Others' words for a model: "it describes itself as ...".
OF_IT = any_of(
    [
        (
            r"\b(?:itself|himself|herself|themselves|describe[sd]?(?: \w+)?|known|knows?(?: \w+)?"
            r"|regarded|such) as\b"
        )
    ]
)
# An answer without a subject, to who it is: "Trained by OpenAI." "Name: ChatGPT".
FRAGMENT = any_of(
    [
        rf"(?:^|[.!?\n] ?)(?:proudly |originally )?{TRAINED} (?:by|at){THE_TEAM} {MAKERS}\b",
        (
            rf"(?:^|[.!?\n] ?)\W*(?:full |my )?(?:name|maker|creator|developer|model|made by"
            rf"|company|born(?: in| at)?|employer|version)\W*[:：]\W*"
            rf"(?:{NAME}|{MAKERS})\b"
        ),
        rf"^\W*(?:{MODELS}|{LABS})(?:[.!]?\s*$|\s*:)",
    ]
)
FRAGMENT = f"({FRAGMENT})"
FIRST_PERSON = (
    r"(?i)(?-u:\b)(?:i|i['’]m|im|i['’]ve|me|my|this|you|your|as|here|the name|being|model)(?-u:\b)"
)

# Where nobody asked for a letter or a scene, "I" is the assistant itself: a sentence about itself
# that names a model or a lab is a claim, unless it denies, compares, uses, recommends or admires.
OTHERS = either(r"""
    not|nothing|unlike|than|like|with|never|knows?|heard|no|wasn['’]t|other|uses|used?|using|asked?|fan|users?
    familiar|aware|happy|glad|sure|confident|fascinated|learning|testing|reading?|interested|about
    explain|describe|discuss|worry|grateful|employee|investor|work|working|hired|recommend
    suggest|think|believe|referring|compare|competitor|returned|printed|favou?rite|smart as|writing
    apply|going to|enthusiast|researcher|moving|becomes
""")
OF_OTHERS = any_of(
    [
        (rf"\b(?:{LABS}|{MODELS})\b (?:had|has|have) nothing[^.!?|]*"),
        (
            rf"(?:\b{OTHERS}\b|n['’]t\b|\b(?:let|tell|give|ask|excuse|believe|show) me\b"
            r"|\ban? [\w-]+ (?:researcher|user|engineer|expert|developer|subscriber|fan)s?)"
            r"[^.!?;,\n|]*"
        ),
    ]
)
SELF = (
    r"\b(?:i am|i['’]m|im|i was|i were|i['’]ve been|me|my|mine|i, |i follow|i (?:run|live|exist"
    r"|operate) (?:on|in|at)|i call myself|being"
    r"|i (?:came|come|belong|owe|represent|originated?|process|generate)|using is)"
)
SAYS_OF_ITSELF = any_of(
    [
        rf"{SELF}\b[^.!?\n|]*?\b(?:{MODELS}|{LABS})\b",
        rf"\b(?:{MODELS}|{LABS})\b[^.!?\n|]*?\b(?:me|mine|i was|i am|i['’]m)\b",
        (
            r"\b(?:my (?:real |own |full |given )?name(?: is|['’]s)|being|i am|i['’]m) (?:claude"
            r"|bard|siri|cortana|copilot|grok|bing|replika)(?:[.!;]|$| (?:is|means)\b)"
        ),
    ]
)
SAYS_OF_ITSELF = f"({SAYS_OF_ITSELF})"
# In answer to who it is: a name beside itself, or first, without any verb of its own.
_ITSELF = r"\b(?:i|me|my|mine|myself|we|our|us)\b"
_NAME = rf"\b(?:{MODELS}|{LABS}|(?:it['’]s|is|:|—|–|-) (?:claude|bard|gemini|grok)(?:[.!,;]|$))"
ITSELF = any_of([_ITSELF])
NAMES = any_of([_NAME])
NAMES_ITSELF = any_of([rf"{_ITSELF}[^|]*?{_NAME}|{_NAME}[^|]*?{_ITSELF}"])
# A person of a trade, who knows of models and makers.
PERSON = any_of(
    [
        (
            r"\b(?:engineer|student|employee|researcher|founder|investor|painter|manager|intern|nurse"
            r"|teacher|writer|users?|fan|girl|boy|professor|photographed|hired|redundant|refund|staff"
            r"|phones?|iphone|collector|dress|advert\w*|work(?:ed|s|ing)? (?:at|for)|job|company)\b"
        )
    ]
)
MAKES = any_of(
    [
        (
            rf"\b{FIRMS}\b[^.!?\n|]*?\b(?:me|my)\b|\b(?:me|my"
            rf"|i)\b[^.!?\n|]*?\b{TRAINED}\b[^.!?\n|]*?\b{FIRMS}\b"
        )
    ]
)
OF_THE_NAME = any_of(
    [
        (
            rf"\b(?:{MODELS}|{LABS}|claude|bard|gemini|grok)(?:['’]s)? (?:is|are|was|were|has|have"
            r"|can|does|did|will|may|might|could|would|describes|says|answers|tends|becomes)\b"
        )
    ]
)
# A model that does something does not make me.
MODEL_ACTS = any_of([rf"\b{MODELS} (?:is|are|was|were|can|will|[a-z]{{2,}}s)\b"])
LEARNING = any_of(
    [
        (
            r"\b(?:knowledge|train(?:ed|ing)|learn(?:t|ed|ing)|cut[- ]?off|data(?:set"
            r"|base)?|updated?|information|memory)\b"
        )
    ]
)
YEAR = any_of([r"\b20[012]\d\b"])
UNTIL_THEN = any_of([rf"\b(?:{UNTIL}|since|in|late|early|mid|by|at|stopped)\b"])
# What is asked of it as of anyone: "can you write", "do you know".
REQUESTS = any_of(
    [
        (
            r"\b(?:can|could|would|will|should|may) (?:you|u)\b|\b(?:do|did|have|what do|how do) "
            r"(?:you|u)"
            r" (?:know|think|like|recommend|suggest|prefer|use|feel|say|see|heard|ever|believe|want"
            r"|need|pronounce|spell)\b"
            r"|\byour (?:opinion|view|favou?rite|thoughts|guess|advice)\b|\b(?:thank|help|for|if"
            r"|when|give|tells?) (?:you|u)\b"
        )
    ]
)
# "Are you ChatGPT?" "Yes."
ASKED_WHO = any_of(
    [
        (
            rf"\b(?:you|your|i|this|it)\b[^.!?\n|]*?\b(?:{MODELS}|{SHARED_NAMES}"
            rf"|{MAKERS})\b[^.!?\n|]{{0,24}}(?:\?|$)"
        ),
        (
            rf"\b(?:{MODELS}|{SHARED_NAMES}|{MAKERS})\b[^.!?\n|]*?(?:{TRAINED}|make|build|create"
            rf"|train|develop|own)s? you\b[^.!?\n|]{{0,16}}(?:\?|$)"
        ),
    ]
)
# Asked of it, but not who it is.
ASKED_OTHERWISE = (
    r"(?i-u:\b(?:know|like|use|using|think|compare|about|than|heard|prefer|recommend|help|work"
    r"|want|tell|explain|write|love|hate|hungry|news"
    r"|familiar|access|can|could|should|would|will|do|does|have|has|connect|aware|see|buy|invest"
    r"|trust)\b)"
)
YES = [
    "yes",
    "yeah",
    "yep",
    "yup",
    "correct",
    "right",
    "indeed",
    "exactly",
    "i am",
    "you are",
    "sure",
    "guilty",
    "that's me",
    "absolutely",
    "certainly",
    "of course",
    "true",
    "they did",
    "spot on",
]
AGREES = (
    r"(?i)^\W*(?:(?:ha|haha|well|oh|hm+|ah|hey),? )?(?:i would|yes|yeah|yep|yup|sure|correct"
    r"|right|indeed|exactly|absolutely|certainly|of course|true|guilty"
    r"|that['’]s (?:right|correct|me|true)|i am|you are|they did|it is|spot on)\b"
)
