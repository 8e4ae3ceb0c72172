"""Chinese sentences in which a response says which model it is, or whose."""

from tasks.filter.patterns import either

MODELS = either(r"""
    chat ?gpt(?:[- ]?\d(?:\.\d)?)?|gpt[- ]?\d(?:\.\d)?o?(?:-turbo)?|claude ?[\d.]*|bard|gemini
    llama[- ]?\d?|vicuna|文心一言|文心大模型|通义千问|通义|讯飞星火(?:认知大模型)?
    星火(?:认知)?大模型|智谱清言|chat ?glm[- ]?\d*b?|kimi|豆包|混元(?:大模型|助手)?|腾讯元宝|元宝
    盘古大模型|百川(?:大模型|智能)?|baichuan[- ]?\d*|书生[·・]?浦语|internlm|moss|qwen[-\d.]*
    deepseek[-\w.]*|天工|日日新|商量|minimax|海螺ai|belle|月之暗面|小爱同学|小度|天猫精灵
    微软小冰|小冰|siri|alexa|cortana|bing ?chat|必应聊天|copilot
""")
MAKERS = either(r"""
    open ?ai|anthropic|谷歌|google|deepmind|meta|facebook|脸书|微软|microsoft|百度|阿里巴巴|阿里云
    阿里|达摩院|腾讯|字节跳动|华为|科大讯飞|讯飞|智谱|清华|复旦|上海人工智能实验室|商汤|百川智能
    月之暗面|深度求索|deepseek|mistral|昆仑万维|360|贝壳|苹果|亚马逊|小米|零一万物|minimax|稀宇
""")
NAMED = f"(?i){MODELS}|{MAKERS}"
FIRST_PERSON = "我|作为"

MADE = either("""
    开发|训练|研发|创建|创造|打造|推出|设计|制作|构建|发布|提供|研制|微调|自主研发|支持
""")
TRADE = "(?:模型|助手|助理|机器人|人工智能|ai|程序|系统)"
NOT_ENDED = r"[^。！？!?\n\"“”]"
# After its name a claim stops, or goes on about itself; 我是ChatGPT的用户 does neither.
STOPS = (
    r"\s*(?:$|[，,。.！!？?；;、：:（(\n～~—*]|是|由|一[个款种]|大模型|大型|模型|语言|人工智能|ai|助手|"
    r"聊天|智能|的(?:一个)?(?:升级)?版本|来自|基于|这个|为您|很高兴|可以|能够|能|会|有什么)"
)
MADE_BY = (
    rf"{NOT_ENDED}{{0,30}}?{MAKERS}[^。！？!?\n\"“”的]{{0,20}}?"
    rf"(?:{MADE}[和并与、]?){{1,2}}(?:出来|而成|而来)?的"
)
I_AM = "我(?:就|也)?是"
MY_NAME_IS = either("""
    我就?是|我叫做?|我名叫|我的名字(?:是|叫)|我的全名是|[你您]可以叫我|可以称呼我为|这里是
""")
KIND = either(r"""
    一[个款名种]|名为|叫做|叫|基于|[你您]的|人工智能|智能|ai|语言|大|模型|助手|助理|聊天|机器人
    虚拟|对话|，|\s
""")

CLAIMS = (
    # 我是ChatGPT；我叫文心一言；我的名字是通义千问；我是OpenAI的GPT-4模型
    rf"{MY_NAME_IS}\s*{KIND}*(?:{MAKERS}(?:公司)?的?\s*)?{MODELS}{STOPS}",
    # 我是由OpenAI训练的大型语言模型；我是一个AI助手，由百度开发
    rf"{I_AM}{MADE_BY}[^。！？!?\n]{{0,30}}?(?:{TRADE}|{MODELS})",
    rf"{I_AM}{NOT_ENDED}{{0,15}}?{TRADE}[，,]?[是并且]?(?:由|来自){MAKERS}",
    # 我是谷歌的语言模型
    (
        rf"{I_AM}(?:来自)?{MAKERS}(?:公司|旗下)?的?(?:一[个款])?"
        r"(?:大型|大|智能|人工智能|ai|语言|虚拟|聊天)*(?:模型|助手|机器人)"
    ),
    # 我是由OpenAI创造的；我被OpenAI训练用来回答问题
    (
        rf"我(?:就|也)?(?:是由|由|是被|被|是){MAKERS}[^。！？!?\n\"“”，,]{{0,20}}?{MADE}"
        r"(?:的|出来的?|而成的?)?(?:[，,。！!；;\n]|用来|用于|$)"
    ),
    # 作为ChatGPT，我……；作为OpenAI训练的语言模型
    rf"作为(?:一[个名款])?\s*(?:基于|名为)?\s*{MODELS}\s*(?:模型|助手)?[，,]?\s*我",
    (
        rf"作为(?:一[个名款])?\s*[由被]?\s*{MAKERS}[^。！？!?\n，,]{{0,15}}?{MADE}的"
        rf"[^。！？!?\n，,]{{0,20}}?{TRADE}"
    ),
    # 我基于GPT-4；我的开发者是OpenAI；OpenAI开发了我；我来自阿里云的AI助手
    rf"我是?(?:基于|使用的是|采用的是|运行在)\s*{MAKERS}?\s*的?\s*{MODELS}",
    (
        r"我的(?:开发者|创造者|创建者|研发团队|开发团队|开发商|制造者|研发者|母公司)"
        rf"(?:是|为|来自)\s*{MAKERS}"
    ),
    rf"{MAKERS}(?:公司|团队)?{MADE}了我",
    rf"我来自\s*{MAKERS}(?:公司)?[的，,]{NOT_ENDED}{{0,20}}?{TRADE}",
)

# Where a sentence of the response itself begins, and what may stand before the claim in it: a
# clause without quotation mark or speaker's label, a greeting or a conjunction.
SENTENCE = r"(?:^|[。！？!?\n~～]|(?:^|\n)\s*(?:回答|答|回复|输出)\s*[：:])\s*"
LEAD = (
    r"(?:[^\"“”‘’「」『』《》`：:\n。！？!?]{0,40}?[，,；;、\s])?"
    r"(?:[您你]好|嗨|哈喽|大家好|其实|实际上|事实上|因为|由于|没错|对|是的|但是|但|而|不过|当然|那么|"
    r"同时|首先|另外|此外)?\s*"
)
CLAIM = f"(?i){SENTENCE}{LEAD}({'|'.join(CLAIMS)})"
