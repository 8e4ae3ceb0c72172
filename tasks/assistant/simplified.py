"""Chinese in one script: the words looked for are written in simplified characters."""

import polars as pl

# The traditional characters of the words in this package, each above its simplified one.
TRADITIONAL = (
    "無沒為幫這個說對於誰錄傳請問題據圖項應該覺類儘難編寫違規則過讀聽見們麼嗎開關觀點實時間"
    "數內權給處還與從產語練創製發現責體驗證訓設計團隊員師網頁連結鏈鐘價預測買賣訂購單車門電"
    "腦機軟記憶評論愛歡樂聲視頻畫簡選擇總譯標詞華騰訊飛蘋馬遜達盤義東議決離線務動辦須滿謝氣"
    "書財險種話談罵殺傷損歲歷當國紅亞爾雲靈絕僅並嚴殘廢專業醫藥診斷療檢報導讓響變將會來後學"
    "備稱敗願話異錯試週蘭條壓懂復總統隨屬貴姓齡兒媽爺講聯誠慮訴轉鎖碼級習"
)
SIMPLIFIED = (
    "无没为帮这个说对于谁录传请问题据图项应该觉类尽难编写违规则过读听见们么吗开关观点实时间"
    "数内权给处还与从产语练创制发现责体验证训设计团队员师网页连结链钟价预测买卖订购单车门电"
    "脑机软记忆评论爱欢乐声视频画简选择总译标词华腾讯飞苹马逊达盘义东议决离线务动办须满谢气"
    "书财险种话谈骂杀伤损岁历当国红亚尔云灵绝仅并严残废专业医药诊断疗检报导让响变将会来后学"
    "备称败愿话异错试周兰条压懂复总统随属贵姓龄儿妈爷讲联诚虑诉转锁码级习"
)
SCRIPTS = {old: new for old, new in zip(TRADITIONAL, SIMPLIFIED, strict=True) if old != new}


def simplified(text: pl.Expr) -> pl.Expr:
    """The text in simplified characters as far as they are looked for; places stay as they are."""
    return text.str.replace_many(SCRIPTS)


def as_written(found: pl.Expr, simple: pl.Expr, text: pl.Expr) -> pl.Expr:
    """What stands in `text` where `found` stands in `simple`, its simplified form.

    Both scripts take three bytes a character; null where `found` is not in `simple`.
    """
    place, size = simple.str.find(found, literal=True), found.str.len_bytes()
    return text.cast(pl.Binary).bin.slice(place, size).cast(pl.String)
