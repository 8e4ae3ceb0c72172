"""English sentences in which a response says which model it is, or whose. Case does not count."""

from tasks.filter.patterns import either

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
    koala|dolly|falcon|replika|xiaoice|character\.ai
""")
# Makers who make models and nothing else, and makers that also employ and train people.
LABS = either(r"""
    open ?ai|anthropic|(?:google )?deepmind|google (?:ai|brain|research)|(?:meta|facebook) ai
    mistral(?: ai)?|deepseek|moonshot(?: ai)?|zhipu(?: ?ai)?|baichuan|01\.ai|x\.?ai|cohere
    stability ai|hugging ?face|lmsys|laion|eleuther ?ai|inflection|alibaba cloud|damo academy
    tongyi lab|minimax|sensetime|iflytek
""")
FIRMS = either(r"""
    google|meta|facebook|microsoft|baidu|alibaba|tencent|bytedance|huawei|amazon|apple|ibm
    nvidia|databricks|tsinghua|stanford|fudan|salesforce|samsung
""")
MAKERS = f"(?:{LABS}|{FIRMS})"
NAMED = rf"\b(?:{MODELS}|{SHARED_NAMES}|{MAKERS})\b"
# One of these is in every name above; they are looked for all at once (Aho-Corasick).
NAME_PARTS = """
    gpt davinci claude anthropic openai openassistant google gemini gemma bard lamda palm deepmind
    bing sydney copilot microsoft cortana xiaoice llama facebook meta blenderbot alpaca stanford
    vicuna lmsys wizardlm mistral mixtral deepseek qwen tongyi alibaba damo glm zhipu tsinghua ernie
    wenxin baidu baichuan internlm moss fudan kimi moonshot doubao bytedance minimax hunyuan tencent
    01.ai yi- stablelm stability laion eleuther koala dolly databricks falcon command cohere pangu
    huawei xverse sensechat sensetime sparkdesk spark iflytek grok x.ai xai hugging inflection
    replika character.ai belle alexa amazon siri apple bixby samsung ibm nvidia salesforce open
""".split()  # noqa: SIM905 (a list of seventy would hide what it holds)
FIRST_PERSON = (
    r"\b(?:i am|i['’]m|i was|i['’]ve been|i have been|i run|i go by|i come|i hail|i originate|"
    r"me|my|this is|as)\b"
)

# What a model is, how it is described, and how it came to be.
TRADE = either(r"""
    ai|a\.i\.|artificial intelligence|llm|model|chat-?bot|bot|neural network|computer program
    (?:language|chat|conversational|generative) (?:model|ai|agent)
    (?:(?:virtual|digital|voice|personal|ai|helpful) )?assistant
""")
ADJECTIVE = either(r"""
    advanced|large(?:-scale)?|powerful|helpful|friendly|new|free|open(?:[- ]source)?|modern|simple
    state-of-the-art|cutting-edge|pre-?trained|generative|text-based|sophisticated|multilingual
    multimodal|smart|digital|virtual|intelligent|conversational|automated|personal|experimental
    humble|mere|(?:type|kind|form|piece|product) of|language|ai|artificial|intelligence|neural
    (?:machine|deep)[- ]learning|transformer|computer|software|chat
    \w+-(?:based|trained|powered|tuned|driven)
""")
TRAINED = either(r"""
    trained|developed|created|built|made|designed|fine-?tuned|programmed|produced|released
    launched|provided|powered|engineered
""")
CREATED = "(?:developed|created|built|made|designed|programmed|released|powered)"
AND_MORE = (
    r"(?:,? (?:and|or) \w+)?"
    r"(?: (?:entirely|jointly|exclusively|primarily|specifically|originally|solely))?"
)
THE_TEAM = (
    r"(?: (?:the|a|team|researchers|engineers|company|people|folks|scientists|group|at|of|from|"
    r"called|named|organization|lab))*"
)
WHICH_WAS = (
    r"(?:,? (?:that|which|who|and|i|was|is|were|am|been|being|has|have|language|model|assistant|"
    r"chat-?bot|system|program|agent|specifically|originally|recently|here|"
    r"(?:called|named|known as) [\w.-]+))*,?"
)

I_AM = (
    r"\b(?:i am|i['’]m|i was|i['’]ve been|i have been)\b"
    r"(?: (?:actually|just|really|simply|indeed|in fact|only|called|named|known as|also|currently|"
    r"still|now|proudly|of course))*"
)
ARTICLE = r"(?: (?:an?|the|your|one of))?"
KIND = (
    rf"(?: (?:{ADJECTIVE}|latest|version|variant|instance|model|of|the|an?|chatbot|bot|assistant|"
    rf"voice|called|named|known as|{MAKERS}(?:['’]s)?))*?"
)
# After its name a claim stops, or goes on about itself; "a ChatGPT user" does neither.
STOPS = (
    r"(?:\s*(?:$|[,.!?;:()\n—–*…-])"
    r"| (?:and|but|from|by|an?|the|at|here|so|or|which|with|version|based|running|in|to|as|who|"
    rf"that|language|large|{TRAINED}|{TRADE})\b)"
)
OF_THE_TRADE = (
    r"\b(?:[,;.!—–-]*"
    r"(?: (?:and|but|so|i am|i['’]m|i was|i|am|was|is|an?|the|your|their|our|its|one of|from|here|"
    rf"also|just|{ADJECTIVE}|{MAKERS}(?:['’]s)?),?)*?"
    rf" (?:{TRADE}|{LABS}|{TRAINED} by{THE_TEAM} {MAKERS})"
    r"|[^\n\"“”]{0,40}?[.!] how (?:can|may) i (?:help|assist))\b"
)

CLAIMS = (
    # I am ChatGPT; I'm an AI language model called GPT-4.
    rf"{I_AM}{ARTICLE}{KIND} {MODELS}{STOPS}",
    # I am Claude, an AI assistant; I'm Alexa. How can I help?
    rf"{I_AM}{ARTICLE}{KIND} {SHARED_NAMES}{OF_THE_TRADE}",
    # I am a large language model trained by Google.
    (
        rf"{I_AM}(?:(?: [\w.-]+,)? (?:an?|the|your|one of the)(?: {ADJECTIVE})*)? {TRADE}"
        rf"{WHICH_WAS} {TRAINED}{AND_MORE} (?:by|at|from){THE_TEAM} {MAKERS}\b"
    ),
    # I was trained by OpenAI; I was created by Google. A firm trains people too, but creates none.
    rf"{I_AM} {TRAINED}{AND_MORE} (?:by|at){THE_TEAM} {LABS}\b",
    rf"{I_AM} {CREATED}{AND_MORE} (?:by|at){THE_TEAM} {FIRMS}\b",
    # I am Google's language model.
    (
        rf"{I_AM}{ARTICLE} {MAKERS}(?:['’]s)?(?: [\w-]+){{0,3}}? "
        r"(?:language model|ai|chat-?bot|model|virtual assistant|ai assistant)\b"
    ),
    # As ChatGPT, I ...; as a language model trained by OpenAI, ...
    rf"\bas{ARTICLE}{KIND} {MODELS},? (?:i|my)\b",
    rf"\bas an?(?: {ADJECTIVE})* {TRADE}{WHICH_WAS} {TRAINED}{AND_MORE} by{THE_TEAM} {MAKERS}\b",
    # My name is ChatGPT; you can call me Claude, an AI; I go by GPT-4.
    (
        r"\b(?:my name is|my name['’]s|(?:you (?:can|may) |people |they )?call me|i go by|this is)"
        rf"{ARTICLE} (?:{MODELS}{STOPS}|{SHARED_NAMES}{OF_THE_TRADE})"
    ),
    # I am based on GPT-4; I run on OpenAI's GPT-3.5 architecture.
    (
        rf"(?:{I_AM} (?:based|built|running|powered)|\bi run|"
        r"\bmy (?:underlying )?(?:model|architecture|technology) is)"
        r"(?: (?:on|upon|by|top|of|the|an?|based|large|language|model|called|version|"
        rf"{MAKERS}['’]s))* {MODELS}\b"
    ),
    # OpenAI created me; my creator is Anthropic; I come from OpenAI.
    rf"\b{LABS} (?:has |have |had )?{TRAINED} me\b",
    rf"\b{FIRMS} (?:has |have |had )?(?:developed|created|built|designed|programmed) me\b",
    rf"\b{MAKERS} is my (?:creator|developer|maker|parent)\b",
    rf"\bmy (?:creator|developer|maker|designer)s? (?:is|are|was|were){THE_TEAM} {MAKERS}\b",
    rf"\bi (?:come|hail|originate) from {LABS}\b",
)

# Where a sentence of the response itself begins.
SENTENCE = (
    r"(?:^|[.!?…。！？)\]]\s+|\n[\s>*#-]*|(?:^|\n)\s*(?:answer|response|output|reply)\s*:\s*)[*_]*"
)
# From there to the claim: greetings and clauses that end in a comma or a conjunction, without a
# quotation mark and without a speaker's label.
LEAD = (
    r"(?:[^\"“”„«»「」『』`:\n.!?]{0,80}?"
    r"(?:[,;—–-]\s*|,? (?:and|but|as|because|since|though|however|that|so) )"
    r"|(?:hello|hi|hey|yes|no|sure|well|thanks|greetings|actually|sorry|indeed|there|oh)[\s,]*)?"
)
CLAIM = f"(?i){SENTENCE}{LEAD}({'|'.join(CLAIMS)})"
