"""Street addresses, where street, number and town stand together."""

import polars as pl

from tasks.personal.finder import EDGE, ESCAPED, PIECE, Finder

_SUFFIX = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way"
    r"|Terrace|Ter|Square|Sq|Parkway|Pkwy|Circle|Cir|Highway|Hwy|Trail|Close|Crescent|Gardens"
    r"|Grove|Mews|Row|Walk)"
)
_STATE = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI"
    r"|S[CD]|T[NX]|UT|V[AT]|W[AIVY]|Alabama|Arizona|California|Colorado|Connecticut|Florida"
    r"|Georgia|Illinois|Indiana|Massachusetts|Michigan|Minnesota|Missouri|New York|New Jersey"
    r"|North Carolina|Ohio|Oregon|Pennsylvania|Tennessee|Texas|Virginia|Washington|Wisconsin)"
)
_NAME = r"[A-Z0-9][A-Za-z0-9'’.-]*"
_UNIT = r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Flat|#)\.? ?#?[A-Za-z0-9-]+)?"
_GAP = r"(?:,? ?\n|, ?| )"
_POSTCODE = r"[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}"
# 17 Maple Hollow Road, Apt 4, Dayton, OH 45402
_AMERICAN = (
    rf"[0-9]{{1,5}}[A-Za-z]? (?:{_NAME} ){{1,4}}{_SUFFIX}\.?(?: [NSEW]{{1,2}}\.?)?{_UNIT}{_GAP}"
    rf"{_NAME}(?: {_NAME}){{0,2}},? {_STATE},? [0-9]{{5}}(?:-[0-9]{{4}})?"
)
# 17 Alder Close, Ludlow, Shropshire SY8 1AA
_BRITISH = (
    rf"(?:Flat [0-9A-Za-z]+, )?[0-9]{{1,4}}[A-Za-z]? (?:{_NAME} ){{1,3}}{_SUFFIX}{_GAP}"
    rf"(?:{_NAME}(?: {_NAME}){{0,2}}{_GAP}){{1,3}}{_POSTCODE}"
)
# 浙江省杭州市西湖区文三路 478 号 3 幢 502 室
_PROVINCE = (
    "(?:河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州"
    "|云南|陕西|甘肃|青海|台湾)省|(?:内蒙古|广西壮族|西藏|宁夏回族|新疆维吾尔)?自治区"
)
_TOWN = (
    r"[\p{Han}--[在到住寄至是于往址从自去由家我他她你您的了和与]]{2,4}?市"  # and no verb before it
)
_PLACE = r"\p{Han}{2,9}?"
_CHINESE = (
    rf"(?:{_PROVINCE})?(?:{_TOWN}){{1,2}}(?:{_PLACE}(?:区|县|镇|乡|街道|村))*"
    r"[\p{Han}]{1,8}?(?:路|大道|大街|街|巷|弄|胡同)(?:[东西南北]段)? ?[0-9]{1,5} ?(?:号|弄)(?:院)?"
    r"(?: ?[0-9A-Za-z]{1,4} ?(?:号楼|幢|栋|座|单元|楼|层|室|房|号))*"
)

NOBODYS = "|".join(
    (
        r"(?i)^(?:1|12|123|1234|12345|111|456|789|678|567|100|999) ",
        r"(?i)(?:any|some) ?(?:town|city|where)|\b(?:your|our|my) |\b(?:city|state|town)ville\b",
        r"(?i)\b(?:main|example|sample|fake|elm|oak|test) (?:st|ave|road|rd|lane|ln|drive|dr)",
        " (?:12345|00000|11111|99999|54321)(?:-|$)",
        # Houses that everybody knows.
        "^1600 (?:Pennsylvania|Amphitheat)|^350 (?:Fifth|5th)|^742 Evergreen|^10 Downing",
        "^221B? Baker|^4 Privet|^1 (?:Infinite|Apple|Microsoft|Hacker)|^11 Wall|^30 Rockefeller",
        "长安街|景山前街|天安门|人民大会堂",
        r"某|[XxＸ×]{2}|(?:路|街|道|巷) ?(?:1|12|123|1234|456|789|100|1000|888|666) ?号",
    )
)


def _address() -> pl.Expr:
    """A Chinese address is somebody's where it goes down to the building or the room."""
    chinese = PIECE.str.contains(r"\p{Han}")
    home = PIECE.str.contains(r"(?:号楼|幢|栋|座|单元|楼|层|室)")
    return (~chinese | home) & ~PIECE.str.contains(NOBODYS)


# False positive, known: the address of a shop, a museum or an authority.
STREET_ADDRESSES = Finder(
    hints=(r" [0-9]{5}| [0-9][A-Z]{2}", r"[0-9] ?[号弄]"),
    patterns=((rf"^|{ESCAPED}|[^0-9A-Za-z.,-]", rf"(?:{_AMERICAN}|{_BRITISH}){EDGE}|{_CHINESE}"),),
    holds=_address(),
)
