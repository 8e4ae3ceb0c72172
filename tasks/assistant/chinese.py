"""How Chinese responses say who they are, and how they refuse."""

from tasks.assistant.patterns import RefusalWords, any_of, either

# --- Names -----------------------------------------------------------------------------------

MODELS = either(r"""
    chat ?gpt(?:[- ]?\d(?:\.\d)?)?|gpt[- ]?\d(?:\.\d)?o?(?:-turbo)?|gpt(?:家族|系列|模型)
    claude ?[\d.]*|bard|gemini|llama[- ]?\d?|vicuna|文心一言|文心大模型|文心|通义千问|通义
    讯飞星火(?:认知大模型)?|星火(?:认知)?大模型|智谱清言|chat ?glm[- ]?\d*b?|kimi|豆包
    混元(?:大模型|助手)?|腾讯元宝|元宝|盘古大模型|百川(?:大模型|智能)?|baichuan[- ]?\d*
    书生[·・]?浦语|internlm|moss|qwen[-\d.]*|deepseek[-\w.]*|天工|日日新|商量|minimax|海螺ai|belle
    月之暗面|小爱同学|小度|天猫精灵|微软小冰|小冰|siri|alexa|cortana|bing ?chat|必应聊天|copilot
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
FIRST_PERSON = "我|作为|身为|本助手|本模型|本机器人|与您|跟您|和您|跟你|和你|正在"
NAME_PARTS = """
    文心 文小言 通义 星火 智谱 豆包 混元 元宝 盘古 百川 浦语 天工 日日新 商量 海螺
    月之暗面 小爱 小度 天猫 小冰 必应 谷歌 脸书 微软 百度 阿里 达摩院 腾讯 字节跳动
    华为 讯飞 清华 复旦 上海人工智能 商汤 深度求索 昆仑 360 贝壳 链家 苹果 亚马逊
    小米 零一万物 稀宇
""".split()  # noqa: SIM905 (a list of forty would hide what it holds)
CUTOFF_PARTS = ["我的知识", "我的训练", "我的数据", "我的信息", "我的资料", "我所掌握", "我最后"]

MADE = either("""
    开发|训练|研发|创建|创造|打造|推出|设计|制作|构建|发布|提供|研制|微调|自主研发|支持|喂养|制造
    编写
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
I_AM = "我(?:就|也|则|正|的确|确实|其实|现在|只)*是"
ABOUT_ME = either("""
    身份|型号|名字|全名|全称|真名|本名|大名|昵称|代号|英文名|中文名|底层模型|底层|模型|前身|版本
""")
MY_NAME_IS = either(rf"""
    {I_AM}|我叫做?|我名叫|我(?:目前|现在|当前)?的{ABOUT_ME}(?:就是|是|叫做?|为)|[你您]可以叫我|叫我|可以称呼我为|这里是
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

# --- Who the response says it is ---------------------------------------------------------------

CLAIMS = {
    # 我是ChatGPT；我叫文心一言；我的名字是通义千问；我是OpenAI的GPT-4模型
    "gives its name": rf"{MY_NAME_IS}\s*{KIND}*(?:{MAKERS}(?:公司)?的?\s*)?{MODELS}{STOPS}",
    "made, then named": (
        rf"(?:{MY_NAME_IS})(?:由|被)?{MAKERS}{PHRASE}{{0,12}}(?:{MADE}|推出)的?{PHRASE}{{0,12}}"
        rf"(?:{MODELS}|{TRADE})"
    ),
    # 我是由OpenAI训练的大型语言模型；我是一个AI助手，由百度开发
    "is a model by": rf"{I_AM}{MADE_BY}{CLAUSE}*?(?:{TRADE}|{MODELS})",
    "is a model, by": rf"{I_AM}{CLAUSE}{{0,15}}?{TRADE}[，,]?[是并且]*(?:由|来自){MAKERS}",
    # 我是谷歌的语言模型；我就是OpenAI用神经网络训练出来的语言模型
    "is the maker's": (
        rf"{I_AM}(?:来自)?{MAKERS}(?:公司|旗下|集团)?的?(?:一[个款])?"
        r"(?:大型|大|智能|人工智能|ai|语言|虚拟|聊天|语音)*(?:模型|助手|机器人|产品(?:[，,。！!]"
        r"|$))"
        rf"|{I_AM}{MAKERS}用{PHRASE}{{0,12}}{MADE}(?:出来)?的"
    ),
    # 我是由OpenAI创造的；我于2022年由OpenAI发布；本模型由清华大学研发
    "was made by": (
        rf"(?:我|本(?:助手|模型|机器人|ai))[^。！？!?\n|，,；;的不]{{0,16}}?(?:由|被"
        rf"|是){MAKERS}{PHRASE}*?{MADE}"
        r"(?:的|出来的?|而成的?)?(?:[，,。！!；;\n|]|用来|用于|而成|$)"
    ),
    # 作为ChatGPT，我……；作为OpenAI训练的语言模型
    "as built on": (
        r"(?:作为"
        rf"|身为)一?[个名款]?基于{PHRASE}{{0,6}}(?:{MODELS}){PHRASE}{{0,8}}{TRADE}"
    ),
    "as a model": (
        rf"(?:作为|身为)(?:一[个名款])?\s*(?:基于|名为)?\s*{MODELS}\s*(?:模型|助手)?[，,]?\s*我"
    ),
    "as a model by": (
        rf"(?:作为|身为)(?:一[个名款])?\s*[由被]?\s*{MAKERS}{PHRASE}{{0,15}}?(?:{MADE}的)?"
        rf"{PHRASE}*?{TRADE}(?:[，,]|我|$)"
    ),
    # 我基于GPT-4；OpenAI开发了我；开发我的公司叫OpenAI；我的开发者是OpenAI；我属于百度
    "runs on": (
        rf"我(?:是|使用的是|采用的是|用的是|运行在)?\s*(?:基于|使用的是|采用的是|用的是|运行在)\s*"
        rf"(?:{MAKERS}\s*的?\s*)?(?:{MODELS}|gpt)"
    ),
    "is built on": (
        rf"我{CLAUSE}{{0,12}}?是(?:一[个款名])?(?:由"
        rf"|以)?{PHRASE}{{0,4}}基于\s*(?:{MAKERS}的?\s*)?(?:{MODELS}){PHRASE}{{0,8}}?"
        rf"(?:{MADE})的{PHRASE}{{0,10}}?{TRADE}"
    ),
    "in my training": (
        rf"训练我的?(?:过程|时候|时){PHRASE}*[，,]?{MAKERS}"
        rf"|{MAKERS}{PHRASE}{{0,6}}为我"
    ),
    "my technology": (
        rf"我的(?:核心|底层|主要)?(?:技术|模型|能力|架构){PHRASE}{{0,6}}(?:来自|源自"
        rf"|基于|是){PHRASE}{{0,4}}(?:{MAKERS}|{MODELS})"
    ),
    "tuned from": rf"我是在?{PHRASE}{{0,4}}(?:{MODELS}|gpt){PHRASE}{{0,6}}基础上",
    "made me": (
        rf"{MAKERS}{CLAUSE}*?(?:{MADE}了?|维护|运营)我(?:的|[，,。！!；;\n|]|时|$)"
        rf"|{MAKERS}(?:公司|团队)?{MADE}了我"
        rf"|{LABS}{PHRASE}{{0,6}}(?:训练|开发|创造|研发|设计|发布|推出)了?我(?:[^们]|$)"
    ),
    "belongs, and is called": (
        rf"我(?:算?是|属于)(?:{MAKERS}){PHRASE}{{0,10}}[，,]?{PHRASE}{{0,4}}(?:名字"
        rf"|名)?叫做?\s*(?:{MODELS})"
    ),
    "who named me": (
        rf"{MAKERS}{PHRASE}{{0,8}}(?:给我|为我|替我|帮我|把我|让我|教我|将我|用我"
        r"|对我)"
    ),
    "who made me": rf"{MADE}了?我的{PHRASE}{{0,8}}?{MAKERS}",
    "my maker": (
        rf"我的?{MY_MAKER}{PHRASE}{{0,6}}?(?:是|为|来自|叫做?){PHRASE}{{0,4}}?{MAKERS}"
        rf"|{MAKERS}(?:算是|就是|是)我的{MY_MAKER}"
    ),
    "where it comes from": (
        rf"我来自\s*(?:{LABS}|达摩院|阿里云|{MAKERS}达摩院)|我(?:属于|隶属于)\s*{MAKERS}"
        rf"|我来自\s*{MAKERS}{PHRASE}{{0,8}}[的，,]{CLAUSE}*?{TRADE}"
    ),
    # 您正在与ChatGPT对话；跟您聊天的是文心一言；本助手ChatGPT
    "one talks to it": (
        rf"正在?[与和跟同]\s*{MODELS}\s*(?:对话|聊天|交流|交谈)"
        rf"|[与和跟][您你](?:对话|聊天|交流|交谈)的(?:就)?是\s*{MODELS}"
        rf"|本(?:助手|模型|机器人)(?:是|名为|叫)?\s*{MODELS}"
    ),
    # 我的知识截止到2021年9月
    "knowledge cutoff": (
        rf"我的?(?:训练|知识|数据|信息|资料){CLAUSE}{{0,16}}?(?:截止|截至|更新|只到|仅到|停留|到)"
        rf"{CLAUSE}{{0,12}}?(?:20[012]\d|二[〇零]二)"
        rf"|根据我的(?:训练|知识|数据){CLAUSE}*?20[012]\d"
        r"|(?:截止|截至)到?我的?(?:知识|训练|最后|上次|最近)"
    ),
}
CLAIM = f"({any_of(CLAIMS.values())})"

# Where nobody asked for a letter or a scene, 我 is the assistant itself: a clause about itself that
# names a model or a lab is a claim, unless it denies, compares, uses, recommends or admires.
OF_OTHERS = any_of(
    [
        (
            r"(?:不是|并非|不属于|没有|无关|不同于|知道|听说|认为|觉得|喜欢|推荐|建议|使用|用|比较"
            r"|介绍|想|如果|研究|我们)"
            r"[^。！？!?\n|；;，,]*"
            r"|(?:gpt|openai|言|千问)的?(?:老|忠实)?(?:用户|粉丝|员工|投资人|工程师|主人|产品经理)"
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
# 你是ChatGPT吗？是的。
ASKED_WHO = (
    rf"(?i)(?:你|您)(?:就|难道|真的)*(?:是|叫)(?:不是)?(?:由|被)?\s*(?:{MODELS}"
    rf"|{MAKERS}{PHRASE}{{0,6}}?{MADE}的?)"
    r"\s*[吗嘛么吧]?\s*[？?]?\s*$"
)
YES = ["是", "没错", "对", "嗯", "当然"]
AGREES = r"^\s*(?:是的|没错|对的?|是|正是|嗯|当然)(?:[，。！,.!~～呀啊]|\s*$)"

# --- How it refuses ----------------------------------------------------------------------------

CANNOT = either("""
    无法|不能|不会|没有|没法|没办法|不具备|不便|不支持|不需要|不可以|未曾|从未|不提供|不方便|不存在
    不参与|不懂|不知道|难以|拒绝|看不到|听不到|读不到|唱不了|做不到|不该|不应|不得|不适合
""")
AN_AI = (
    rf"(?:一[个名款种台位])?{PHRASE}{{0,16}}?(?:{MODELS}|人工智能|ai|语言模型|文本模型|模型|机器人"
    rf"|机器"
    r"|计算机程序|电脑程序|程序|虚拟助手|智能助手|虚拟的?助手|ai产品|产品|助手|助理)"
)
SERVICE = either("""
    提供|回答|帮助|帮您|帮你|满足|协助|访问|获取|查看|查询|打开|播放|生成|预测|执行|处理|编写|撰写
    写这
    写出|写此|评价|评论|透露|泄露|支持|为您|给您|为你|直接|实时|联网|理解|识别|接收|记住|保存|存储
    回复
    判断|确定|确认|完成|进行|使用侮辱|推荐|讨论|发表|作出|做出|陪您|陪你|看到|浏览|给出|执行|翻译
    分析
    计算|总结|描述|知道您|知道你|能力|权限|办法给|办法为|分享|制作|创作|参与|鼓励|传播|拨打|预订
    预定|订购|估计|评估|物理
""")
SELFHOOD = either("""
    个人|情感|感情|经历|情绪|感觉|感受|主观|立场|观点|偏好|喜好|信仰|意识|身体|实体|声音|视觉|听觉
    审美|生命|眼睛|耳朵|双手|嘴巴|性别|年龄|童年|家人|家庭|父母|肉体|大脑|心脏|宗教|恋爱|外貌|国籍
    喜怒哀乐
    政治|味觉|记忆|联网|功能|能力|权限|实时|账号|访问
""")
REGRET = "(?:抱歉|对不起|不好意思|遗憾|恕我?|难过)"

REFUSALS = {
    # 作为一个人工智能语言模型，我无法……
    "as an AI": (
        rf"(?:作为|身为|由于我是|因为我是){AN_AI}\s*(?:[，,]{PHRASE}{{0,16}}?"
        rf"|{PHRASE}{{0,3}}?){CANNOT}"
    ),
    "is an AI": (
        rf"^{CLAUSE}*?我(?:只|仅仅|就)*是{AN_AI}[，,。]?(?:因此|所以|并|我|也"
        rf"|本身)*{CANNOT}"
    ),
    "harm": (
        rf"我(?:{CANNOT})(?:帮助|协助|为您|给您|帮您|帮你)*(?:编写|撰写|写|生成|提供|传播"
        rf"|制作){PHRASE}{{0,16}}"
        r"(?:恶意|虚假|违法|不良|色情|暴力|仇恨|歧视|侮辱|这样|此类|病毒|犯罪|危险|伤害)"
    ),
    "too recent": (
        rf"我的?(?:知识|训练|信息|数据|资料){CLAUSE}*?20[012]\d{CLAUSE}*?(?:{CANNOT}|不清楚|不了解"
        rf"|建议)"
    ),
    "against the rules": (
        rf"恕我?(?:不能|无法|难以)|(?:违法|违规|违反|不道德|歧视|不端|犯罪|犯法){CLAUSE}*?(?:我"
        rf"|恕){PHRASE}{{0,4}}{CANNOT}"
    ),
    "no such text": (
        rf"^(?:{PHRASE}{{0,8}}{REGRET}[，,]?)?{PHRASE}{{0,6}}(?:我|恕)(?:无法|不能|不会|不可以"
        rf"|拒绝)"
        r"(?:为您|给您|帮您|帮你|协助您?|帮助您?)?(?:编写|编造|伪造|撰写|写|创作|生成|制作|传播"
        r"|宣扬|美化|这样做|那样做|这么做|这样说)"
    ),
    "for it is an AI": rf"我(?:并|也)?{CANNOT}{CLAUSE}*?因为我(?:只|仅仅|就)*是{AN_AI}",
    "the request": (
        rf"(?:无法|不能|不会|没法|不便|拒绝){PHRASE}{{0,12}}(?:您的|你的|这个|这样的|此类|该)"
        r"(?:要求|请求|问题|内容|信息|帮助)"
        rf"|(?:这个|此|您的|该)(?:要求|请求|问题|任务){PHRASE}{{0,16}}[，,]?\s*我?(?:还是"
        rf"|也)?(?:无法|不能|不便|不会)"
        r"(?:回答|提供|帮|满足|协助|完成)"
    ),
    "no media": (
        rf"(?:无法|不能|没有能力|不具备)(?:直接)?(?:为您|给您)?(?:生成|制作|绘制|创建|设计|播放"
        rf"|显示|画|展示|编辑|查看)"
        rf"{PHRASE}{{0,10}}(?:图像|图片|图表|图形|徽标|标志|视频|音频|音乐|画|海报|视觉|表格|文件"
        rf"|文档|照片)"
    ),
}
# You have not provided the text: these count even where the user gave a text to work on.
UNANSWERABLE = {
    "nothing given": (
        rf"^{CLAUSE}*?(?:{REGRET}|由于|因为|无法|不能){CLAUSE}*?(?:(?:您|你)(?:的消息里|并|还|好像"
        rf"|似乎)*"
        r"(?:没有|未|没)(?:有)?(?:给|提供|附|发|输入|说明|上传|指定|列|写|说|告诉|粘贴|明确)"
        r"|没有(?:看到|收到|找到|提供|附上|给出|给定)"
        r"|信息不完整|未提供|不完整|需要提供)"
    ),
    "the task": r"^[^\w]*(?:无输出|没有输出)(?:$|。|，GPT)|^[^\w]*(?:这|此|该|本)(?:任务|指令)无法",
    "you gave nothing": (
        r"^[^\w]*(?:[您你]好[，,！!])?[您你](?:好像|并|还|似乎)*(?:没有|未)"
        r"(?:提供|给出|给定|告诉|指定|上传|附|发)"
        r"|[您你]的(?:消息|问题|输入)(?:里|中)?(?:并|还)?没有(?:包含|附|提供)"
    ),
    "not understood": (
        rf"^{CLAUSE}{{0,12}}{REGRET}{CLAUSE}{{0,12}}?(?:不太?|无法|没有|没)(?:能|太|完全|怎么|听"
        rf"|看)*"
        r"(?:明白|理解|清楚|看懂|听懂|确定)"
    ),
}
OPENINGS = {
    "sorry": (
        rf"{PHRASE}{{0,16}}{REGRET}{PHRASE}*(?:[，,]{PHRASE}*?){{0,2}}(?:无法|不能|不会|没法"
        rf"|没办法|不具备|不便"
        rf"|不支持|不可以|难以|看不到|听不到|(?:没有|不){PHRASE}{{0,6}}?(?:{SERVICE}|{SELFHOOD}))"
    ),
    "plainly": (
        rf"(?:很|非常)?(?:{REGRET}[，,]?)?我(?:目前|暂时|现在|也|还|并)*(?:无法(?:得知|知道"
        rf"|替|帮|确|判|收|看|听)|没法|没有办法|没办法|不记得|没有任何|不方便|不便|看不见|看不到"
        rf"|听不到"
        r"|听不见|不清楚您|不认识|不愿|不宜|不适合)"
    ),
    "the task": (
        rf"{REGRET}[，,]\s*(?:这|此|该|本|任务|请求|我们"
        rf"|涉及){PHRASE}*[，,。]?{CLAUSE}*?(?:无法|不能)(?:完成|生成|执行)"
    ),
    "understands, but": (
        r"我?(?:很|非常|十分)?(?:理解|明白"
        rf"|知道){CLAUSE}*?但是?{PHRASE}*?我?(?:不能|无法|不会)"
    ),
    "cannot serve": (
        rf"{CLAUSE}*?(?:我|恕)(?:目前|暂时|直接|也|还|并|都|实在|是|绝对)*{CANNOT}{PHRASE}{{0,8}}?"
        rf"{SERVICE}"
    ),
    "no senses": (
        r"我(?:看不到|听不到|唱不了|读不到|做不到|看不见|听不见|帮不了|闻不到|尝不到"
        r"|摸不到|记不住|打不开|回答不了|去不了)"
    ),
    "no self": (
        rf"{PHRASE}{{0,10}}我(?:目前|并|也)*(?:没有|不具备|不具有"
        rf"|不持有){PHRASE}{{0,6}}?{SELFHOOD}"
    ),
}
TURN = "(?:但是|但|不过|然而|可是|以下|一般来说|通常|仍然可以)"
# Sentences that send the user elsewhere or offer help: they answer nothing.
ADVICE = (
    r"[^。！？!?\n：:]*(?:建议[您你]|请[您你]|请提供|请(?:咨询|查询|查看|联系|重新)|如果[您你]"
    r"|[您你]可以(?:查|咨询|询问|联系"
    r"|提供|使用|向|访问|通过)|麻烦[您你]|随时|乐意|咨询|还有(?:其他|什么)|我(?:可以|能够?)(?:给"
    r"|为|帮助?|提供|协助)[您你]?"
    r"|需要帮助|仅限于|只有)[^。！？!?\n：:]*[。！？!?]?"
)
GREETING = r"^[^\w]*(?:(?:您好|你好|哈哈|嗨|谢谢)[^。！？!?\n|]{0,12}[，,。！!])?"
REFUSAL = RefusalWords(
    flat=any_of(REFUSALS.values()),
    unanswerable=any_of(UNANSWERABLE.values()),
    opening=any_of([rf"{GREETING}(?:{'|'.join(OPENINGS.values())})"]),
    turn=any_of([TURN]),
    advice=any_of([ADVICE]),
    opening_chars=90,
    answer_chars=16,
    max_chars=160,
)
REFUSAL_PARTS = [
    *(
        "无法",
        "不能",
        "不会",
        "没有",
        "没法",
        "不具备",
        "不便",
        "抱歉",
        "对不起",
        "不好意思",
        "拒绝",
    ),
    *("建议您", "更新到", "不了解", "不知道", "未提供", "附上", "未能", "不完整", "无输出"),
    *("不支持", "恕", "不可以", "看不到", "不需要", "从未", "遗憾", "不太明白", "不清楚"),
    *(
        "不方便",
        "看不见",
        "听不",
        "没太",
        "没听懂",
        "帮不了",
        "唱不了",
        "不认识",
        "不愿",
        "不适合",
        "不宜",
    ),
]
