"""How Chinese responses say who they are, and how they refuse."""

from tasks.assistant.patterns import any_of, either

# --- Names -----------------------------------------------------------------------------------

MODELS = either(r"""
    chat ?gpt(?:[- ]?\d(?:\.\d)?)?|gpt[- ]?\d(?:\.\d)?o?(?:-turbo)?|gpt(?:家族|系列|模型)
    claude ?[\d.]*|bard|gemini|llama[- ]?\d?|vicuna|文心一言|文心大模型|文心|通义千问|通义
    讯飞星火(?:认知大模型)?|星火(?:认知)?大模型|智谱清言|chat ?glm[- ]?\d*b?|kimi|豆包
    混元(?:大模型|助手)?|腾讯元宝|元宝|盘古大模型|百川(?:大模型|智能)?|baichuan[- ]?\d*
    书生[·・]?浦语|internlm|moss|qwen[-\d.]*|deepseek[-\w.]*|天工|日日新|商量|minimax|海螺ai|belle
    月之暗面|小爱同学|小度|天猫精灵|微软小冰|小冰|siri|alexa|cortana|bing ?chat
    必应(?:聊天)?|copilot
    腾讯混元大模型|ernie ?bot|文小言
""")
# The names among these that are no ordinary words or names of things.
ONLY_MODELS = either(r"""
    chat ?gpt|gpt[- ]?\d|claude|bard|gemini|llama|vicuna|文心一言|通义千问|讯飞星火|智谱清言
    chat ?glm
    kimi|混元大模型|腾讯元宝|盘古大模型|百川大模型|internlm|qwen|deepseek|小爱同学|微软小冰|siri
    moss
""")
MAKERS = either(r"""
    open ?ai|anthropic|谷歌|google|deepmind|meta|facebook|脸书|微软|microsoft|百度|阿里巴巴|阿里云
    阿里|达摩院|腾讯|字节跳动|华为|科大讯飞|讯飞|智谱|清华|复旦|上海人工智能实验室|商汤|百川智能
    月之暗面|深度求索|deepseek|mistral|昆仑万维|360|贝壳|链家|苹果|亚马逊|小米|零一万物|minimax|稀宇
""")
# Makers who make models and nothing else: people come from the others too.
LABS = "(?:open ?ai|anthropic|deepmind|智谱|商汤|月之暗面|深度求索|deepseek|mistral|零一万物|稀宇)"
NAMED = any_of([MODELS, MAKERS])
# Names in Chinese characters, as English texts hold them too.
HAN_MODELS = "(?:文心一言|通义千问|讯飞星火|智谱清言|豆包|腾讯元宝|文小言|小爱同学|小度|小冰)"
HAN_MAKERS = either("""
    百度|阿里巴巴|阿里云|腾讯|字节跳动|华为|科大讯飞|智谱|清华|商汤|月之暗面|深度求索|小米
""")
FIRST_PERSON = (
    "[iI] am|[iI]['’]m|"
    "我|学名|大名|[您你]的|俺|在下|鄙人|这边|作为|身为|本助手|本模型|本机器人|本站|与您|跟您|和您"
    "|跟你|和你|正在|使用的|对话的"
)
NAME_PARTS = """
    文心 文小言 通义 星火 智谱 豆包 混元 元宝 盘古 百川 浦语 天工 日日新 商量 海螺
    月之暗面 小爱 小度 天猫 小冰 必应 谷歌 脸书 微软 百度 阿里 达摩院 腾讯 字节跳动
    华为 讯飞 清华 复旦 上海人工智能 商汤 深度求索 昆仑 360 贝壳 链家 苹果 亚马逊
    小米 零一万物 稀宇
""".split()  # noqa: SIM905 (a list of forty would hide what it holds)
CUTOFF_PARTS = [
    *(
        "停止训练",
        "训练数据",
        "学习止步",
        "训练截止",
        "我的知识",
        "我的训练",
        "我的数据",
        "我的信息",
        "我的资料",
        "我所掌握",
        "我最后",
        "我掌握",
    ),
    *(
        "我训练",
        "我的最后",
        "我学到",
        "之前学到",
        "以前学到",
        "我了解到",
        "我所知",
        "我知道的",
        "我的学习",
        "我只知道",
        "我接受训练",
    ),
]

MADE = either("""
    开发|训练|研发|创建|创造|打造|推出|设计|制作|构建|发布|提供|研制|微调|自主研发|支持|喂养|制造
    编写|调教|培养|孵化|出品|创立|缔造|教会|生产|上线|开源|搭建
""")
TRADE = "(?:模型|助手|助理|机器人|人工智能|ai|程序|系统)"
CLAUSE = r"[^。！？!?\n|]"
PHRASE = r"[^。！？!?\n|，,；;]"
# After its name a claim stops, or goes on about itself; 我是ChatGPT的用户 does neither.
STOPS = (
    r"\s*(?:$|[，,。.！!？?；;、：:（(\n～~—*|]|是|由|一[个款种]|大模型|大型|模型|语言|人工智能|ai"
    r"|助手|"
    r"聊天|智能|的(?:一个)?(?:升级)?版本|的第|的(?:聊天|智能|对话|人工智能|ai|语言|模型|助手"
    r"|机器人)|来自|"
    r"基于|这个|为您|很高兴|可以|能够|能|会|有什么|呀|啊|哦|呢)"
)
MADE_BY = (
    rf"{CLAUSE}*?{MAKERS}[^。！？!?\n|的]{{0,20}}?"
    rf"(?:{MADE}[和并与、]?){{1,2}}(?:出来|而成|而来)?的"
)
I_AM = "我(?:就|也|则|正|的确|确实|其实|现在|只|可|乃|便|和它都|们都|都)*是"
ABOUT_ME = either("""
    身份|型号|名字|全名|全称|真名|本名|大名|昵称|代号|英文名|中文名|底层模型|底层|模型|前身|版本
""")
MY_NAME_IS = either(rf"""
    {I_AM}|我叫做?|我名叫|我(?:目前|现在|当前)?的{ABOUT_ME}(?:就是|是|叫做?|为)|[你您]可以叫我|[你您]?叫我|管我叫|可以称呼我为|这里是|这边(?:厢)?是|学名|大名|人称|在下(?:是|乃|名叫|叫)?|我(?:名|名字|大名)(?:是|叫)|我(?:的)?本名(?:是|叫)|鄙人(?:是|乃)?|俺(?:是|叫)
    (?:给我|为我|把我|将我)(?:取名|命名|起名)(?:为|叫|做)*|我{PHRASE}*?[，,]?取名(?:为|叫)?
""")
KIND = either(r"""
    一[个款名种]|名为|名叫|叫做|叫|基于|[你您]的|人工智能|智能|ai|语言|大|模型|助手|助理|聊天|机器人
    虚拟|对话|来自|，|\s
""")
MY_MAKER = either("""
    开发者|创造者|创建者|研发团队|开发团队|开发商|制造者|研发者|母公司|背后的?(?:团队|公司)|父母
    父亲
    母亲|爸爸|妈妈|主人|老板|东家|创始团队|设计者|训练者|研发公司|开发公司
""")

# What a model has learnt, and where that ends.
LEARNING = (
    r"(?:知识库?|训练(?:数据)?|信息|数据库?|资料|学到|学习到|掌握|了解到|所知|更新|语料|知道)"
)
UNTIL = (
    r"(?:截止|截至|更新|只到|仅到|仅限|停留?|止于|到|最后一次|最近一次|上次|之前|以前|为止|不包括"
    r"|覆盖|仅有|只有)"
)

# --- Who the response says it is ---------------------------------------------------------------

CLAIMS = {
    # 我是ChatGPT；我叫文心一言；我的名字是通义千问；我是OpenAI的GPT-4模型
    "gives its name": rf"{MY_NAME_IS}\s*{KIND}*(?:{MAKERS}(?:公司)?的?\s*)?{MODELS}{STOPS}",
    "made, then named": (
        rf"(?:{MY_NAME_IS})(?:由|被)?{MAKERS}{PHRASE}*?(?:{MADE}|推出)的?{PHRASE}*?"
        rf"(?:{MODELS}|{TRADE})"
    ),
    # 我是由OpenAI训练的大型语言模型；我是一个AI助手，由百度开发
    "is a model by": rf"{I_AM}{MADE_BY}{CLAUSE}*?(?:{TRADE}|{MODELS})",
    "is a model, by": rf"{I_AM}{CLAUSE}*?{TRADE}[，,]?[是并且]*(?:由|来自){MAKERS}",
    # 我是谷歌的语言模型；我就是OpenAI用神经网络训练出来的语言模型
    "is the maker's": (
        rf"{I_AM}(?:来自)?{MAKERS}(?:公司|旗下|集团)?的?(?:一[个款])?"
        r"(?:大型|大|智能|人工智能|ai|语言|虚拟|聊天|语音)*(?:模型|助手|机器人|(?:产品|作品|孩子)"
        r"(?:[，,。！!]"
        r"|$))"
        rf"|{I_AM}{MAKERS}用{PHRASE}*?{MADE}(?:出来)?的"
    ),
    # 我是由OpenAI创造的；我于2022年由OpenAI发布；本模型由清华大学研发
    "was made by": (
        rf"(?:我|本(?:助手|模型|机器人|ai))[^。！？!?\n|，,；;的不]{{0,16}}?(?:由|被"
        rf"|是)\s*{MAKERS}{PHRASE}*?{MADE}"
        r"(?:的|出来的?|而成的?)?(?:[，,。！!；;\n|]|用来|用于|而成|$)"
    ),
    # I am 文心一言; I'm an assistant built by 百度
    "in English": (
        rf"\bi(?: am|['’]m) {HAN_MODELS}(?:[,.!]|$)"
        rf"|\bi(?: am|['’]m) an? [^.!?\n|]*?{TRADE}[^.!?\n|]*? (?:by|from|of) {HAN_MAKERS}"
    ),
    # 作为ChatGPT，我……；作为OpenAI训练的语言模型
    "as built on": (
        r"(?:作为"
        rf"|身为)一?[个名款]?基于{PHRASE}*?(?:{MODELS}){PHRASE}*?{TRADE}"
    ),
    "as a model": (
        rf"(?:作为|身为)(?:一[个名款])?\s*(?:基于|名为)?\s*{MODELS}\s*(?:模型|助手)?[，,]?\s*我"
    ),
    "as a model by": (
        rf"(?:作为|身为)(?:一[个名款])?\s*[由被]?\s*{MAKERS}{PHRASE}*?(?:{MADE}的)?"
        rf"{PHRASE}*?{TRADE}(?:[，,]|我|$)"
    ),
    # 我基于GPT-4；OpenAI开发了我；开发我的公司叫OpenAI；我的开发者是OpenAI；我属于百度
    "runs on": (
        rf"我(?:是|使用的是|采用的是|用的是|运行在)?\s*(?:基于|使用的是|采用的是|用的是|运行在)\s*"
        rf"(?:{MAKERS}\s*的?\s*)?(?:{MODELS}|gpt)"
    ),
    "is built on": (
        rf"我{CLAUSE}*?是(?:一[个款名])?(?:由"
        rf"|以)?{PHRASE}*?基于\s*(?:{MAKERS}的?\s*)?(?:{MODELS}){PHRASE}*?"
        rf"(?:{MADE})的{PHRASE}*?{TRADE}"
    ),
    "in my training": (
        rf"训练我的?(?:过程|时候|时){PHRASE}*[，,]?{MAKERS}"
        rf"|{MAKERS}{PHRASE}*?为我"
    ),
    "my technology": (
        rf"我的(?:核心|底层|主要)?(?:技术|模型|能力|架构){PHRASE}*?(?:来自|源自"
        rf"|基于|是){PHRASE}*?(?:{MAKERS}|{MODELS})"
    ),
    "tuned from": rf"我是在?{PHRASE}*?(?:{MODELS}|gpt){PHRASE}*?基础上",
    "yours": (
        rf"[您你]的(?:ai|智能|人工智能|专属|贴心|小|语音|虚拟|学习|聊天)+(?:助手|伙伴|助理|朋友"
        rf"|管家|帮手)[，,]?(?:是|——|——)?\s*(?:{MODELS})"
    ),
    "names itself": (
        rf"我\s*(?:——|—|--|、|，|：|\(|（)\s*(?:{MODELS})(?:[，、）)——]|{MADE}|生成|撰写|为您|$)"
    ),
    "like its kin": (
        rf"[和跟与像]\s*(?:{MAKERS})的?其[他它](?:{PHRASE}*?)?(?:模型|产品|ai|助手"
        rf"|机器人)?一样[，,]?\s*我"
    ),
    "this one": rf"我这(?:个|款){PHRASE}*?{MAKERS}{PHRASE}*?(?:{MADE})的{PHRASE}*?{TRADE}",
    "once": rf"成为\s*(?:{MODELS})之?前[，,]\s*我",
    "my parts": (
        rf"我的(?:服务器|代码|源代码|权重|版权|参数|版本|家|老家|娘家|故乡|出生地|总部|诞生地"
        rf"|训练|研发|工资|维护|诞生){CLAUSE}*?(?:归|属于|由|在|是|来自){PHRASE}*?(?:{MAKERS})"
    ),
    "took me": rf"(?:{LABS}|{MAKERS}){CLAUSE}*?(?:把|将)我(?:{MADE}|训练|带到|带来|做|养|变成)",
    "made me": (
        rf"{MAKERS}{CLAUSE}*?(?:(?:{MADE}|维护|运营|更新|管理)[和与、]?)+了?我(?:的"
        rf"|[，,。！!；;\n|]|时|$)"
        rf"|{MAKERS}(?:公司|团队)?{MADE}了我"
        rf"|{LABS}{PHRASE}*?(?:训练|开发|创造|研发|设计|发布|推出|打造|造|养|教)(?:了|出)?我"
        rf"(?:[^们]|$)"
    ),
    "belongs, and is called": (
        rf"我(?:算?是|属于)(?:{MAKERS}){PHRASE}*?[，,]?{PHRASE}*?(?:名字"
        rf"|名)?叫做?\s*(?:{MODELS})"
    ),
    "who named me": (
        rf"{MAKERS}{PHRASE}*?(?:给我|为我|替我|帮我|把我|让我|教我|将我|用我"
        r"|对我)"
    ),
    "who made me": rf"{MADE}了?我的{PHRASE}*?{MAKERS}",
    "my maker": (
        rf"我的?{MY_MAKER}{PHRASE}*?(?:是|为|来自|叫做?){PHRASE}*?{MAKERS}"
        rf"|{MAKERS}(?:算是|就是|是)我的{MY_MAKER}"
    ),
    "where it comes from": (
        rf"我来自\s*(?:{LABS}|达摩院|阿里云|{MAKERS}达摩院)|我(?:属于|隶属于)\s*{MAKERS}"
        rf"|我来自\s*{MAKERS}{PHRASE}*?[的，,]{CLAUSE}*?{TRADE}"
    ),
    # 您正在与ChatGPT对话；跟您聊天的是文心一言；本助手ChatGPT
    "one talks to it": (
        rf"正在?[与和跟同]\s*{MODELS}\s*(?:对话|聊天|交流|交谈)"
        rf"|[与和跟][您你](?:对话|聊天|交流|交谈)的(?:就)?是\s*{MODELS}"
        rf"|本(?:助手|模型|机器人|站|服务|系统|产品){PHRASE}*?(?:是|名为|叫|基于|由|使用|采用"
        rf"|用的)?{PHRASE}*?(?:{MODELS})"
        rf"|[您你](?:现在|目前)?(?:正在)?(?:使用|对话|交流|聊天|看到|体验)的"
        rf"(?:就)?是{PHRASE}*?(?:{MODELS})"
        rf"|[您你](?:现在|目前)?正在使用(?:的是)?\s*(?:{MODELS})"
        rf"|由\s*(?:{MODELS})\s*(?:驱动|提供支持|生成|撰写){CLAUSE}*?(?:我|[您你])"
    ),
    # 我的知识截止到2021年9月
    "knowledge cutoff": (
        rf"我{PHRASE}*?{LEARNING}{CLAUSE}*?{UNTIL}{CLAUSE}*?(?:20[012]\d|二[〇零]二)"
        rf"|[在以从]?我{PHRASE}*?(?:{LEARNING}|{UNTIL}){PHRASE}*?[（(]?\s*20[012]\d年?"
        rf"|我\s*20[012]\d{PHRASE}*?(?:[之以]?前|为止){PHRASE}*?{LEARNING}"
        rf"|根据我的(?:训练|知识|数据){CLAUSE}*?20[012]\d"
        r"|(?:截止|截至)到?我的?(?:知识|训练|最后|上次|最近)"
    ),
}

# Where nobody asked for a letter or a scene, 我 is the assistant itself: a clause about itself that
# names a model or a lab is a claim, unless it denies, compares, uses, recommends or admires.
OF_OTHERS = any_of(
    [
        (
            rf"[跟和与]\s*(?:{LABS}|{MODELS}|{MAKERS}){PHRASE}*?(?:没有?|无)(?:任何|什么"
            rf"|半点)?(?:关系|关联|联系|瓜葛)|"
            r"(?:不是|并非|不属于|没有|无关|不同于|知道|听说|认为|觉得|喜欢|推荐|建议|使用|用|比较"
            r"|介绍|想|如果|研究过|研究了|正在研究|我们)"
            r"[^。！？!?\n|；;，,]*"
            rf"|我(?:曾经?)?是(?:一[名位个])?{PHRASE}*?(?:工程师|学生|老师|教师|经理|员工|作家"
            rf"|记者)"
            r"[^。！？!?\n|；;]*"
            r"|(?:gpt|openai|言|千问)的?(?:老|忠实)?(?:用户|粉丝|员工|投资人|工程师|主人|产品经理)"
            rf"|(?:{LABS}|{MAKERS})的?(?:一员|一分子)|入职[^。！？]*|加入[^。！？]*"
        )
    ]
)
SELF = r"我(?:是|算是|就是|诞生|出生|于|叫|的|所属|属于|服务于|则|也是|由|被|，|这|来自)"
SAYS_OF_ITSELF = any_of(
    [
        rf"{SELF}[^。！？!?\n|；;]*?(?:{ONLY_MODELS}|{LABS})",
        rf"(?:{ONLY_MODELS}|{LABS})[^。！？!?\n|；;]*?(?:我的|了我|{SELF}|我时|我[。，,！!]|我$)",
        rf"(?:{MAKERS})[^。！？!?\n|；;]*?(?:也?是我的{MY_MAKER}|运行我)",
        rf"我(?:服务于|隶属于|所属的?公司)[^。！？!?\n|；;]*?(?:{MAKERS})",
    ]
)
SAYS_OF_ITSELF = f"({SAYS_OF_ITSELF})"
# In answer to who it is: a name beside itself, or first, without any verb of its own.
_ITSELF = "(?:[我俺咱]|在下|鄙人)"
_NAME = f"(?:{ONLY_MODELS}|{LABS}|豆包|小度|小爱|小冰|文小言|讯飞星火|星火大模型)"
ITSELF = _ITSELF
NAMES = any_of([_NAME])
NAMES_ITSELF = any_of([rf"{_ITSELF}[^|]*?{_NAME}|{_NAME}[^|]*?{_ITSELF}"])
MAKES = any_of(
    [
        rf"{MAKERS}{CLAUSE}*?(?:{MADE}|搭|做|造|养|负责|团队){CLAUSE}*?我",
        rf"我{CLAUSE}*?{MAKERS}{CLAUSE}*?(?:{MADE}|负责|旗下|管)",
        rf"我{CLAUSE}*?(?:由|归|属于|负责){CLAUSE}*?{MAKERS}|{MAKERS}{CLAUSE}*?我的?{CLAUSE}*?负责",
    ]
)
PERSON = (
    "工程师|员工|学生|投资人|工作|用户|粉丝|老师|教师|作家|手机|震惊|培训|经理|毕业|实习|同事"
    "|记者|作者|广告"
)
OF_THE_NAME = any_of(
    [rf"(?:{ONLY_MODELS}|{LABS})\s*(?:是|有|会|可以|能|在|的|和|与|也|由|推出|擅长|通常|一般)"]
)
LEARNING = "知识|训练|学到|学习|掌握|数据|资料|信息|语料|更新|记忆"
UNTIL_THEN = "截止|截至|更新|到|仅|只|停|止|之前|以前|为止|最后|最近|上次|覆盖|不包括|前"
REQUESTS = (
    "[你您](?:能|可以|知道|觉得|认为|怎么看|听说|了解|推荐|帮|给|用过|好|说说|喜欢|想|看)"
    "|[你您]对[^，。？]{1,12}(?:看法|意见|评价|印象|了解)|谢谢[你您]|[帮给][你您]"
)
# 你是ChatGPT吗？是的。
ASKED_WHO = (
    rf"(?i)(?:你|您|我|这){PHRASE}*?\s*(?:{MODELS}|{MAKERS}){PHRASE}*?[吗嘛么吧啊？?]?\s*[？?]?\s*$"
)
ASKED_OTHERWISE = (
    "知道|听说过|认识|喜欢|推荐|比较|介绍|觉得|认为|会用|能用|使用过|用过|了解|写|解释|说说|怎么"
    "|如何|什么|哪|为什么|能不能|会不会|[你您](?:可以|能|会)|有没有|帮|区别|评价|看过|想"
)
YES = [
    "是",
    "没错",
    "对",
    "嗯",
    "当然",
    "正是",
    "不错",
    "确实",
    "如假包换",
    "答对",
    "猜对",
    "被您",
    "被你",
]
AGREES = (
    r"^\s*(?:是的|是我(?:没错)?|没错|对的?|是|正是|嗯+|当然|不错|确实(?:是|如此)?|如假包换|(?:您|你)?(?:答|猜"
    r"|说)对了|(?:您|你)没有?(?:找|说|猜|认)错|(?:哈哈?|嘿嘿?)[，,]?被[你您](?:认|猜|发现"
    r"|看)[^，。]{0,3})"
    r"(?:[，。！,.!~～呀啊哦呢]|\s*$)"
)
# An answer without a subject, to who it is.
FRAGMENT = any_of(
    [
        (
            rf"(?:^|[。！？!?\n|])\s*(?:当前|目前)?(?:姓名|名字|名称|出生地|开发者|制造商|公司"
            rf"|研发公司|型号|版本|籍贯|单位|所属公司|父母)\s*[：:]\s*(?:{MODELS}|{MAKERS})"
        ),
        (
            rf"(?:^|[。！？!?\n|，,])\s*(?:由|来自|出自)\s*(?:{LABS}|{MAKERS}){PHRASE}*?(?:{MADE}"
            rf"|之手|出品)"
        ),
        rf"^\s*(?:这是)?\s*(?:{ONLY_MODELS}|{LABS})(?:[。！.!]?\s*$|\s*[：:，])",
    ]
)
FRAGMENT = f"({FRAGMENT})"
