"""International bank account numbers (ISO 13616-1): length by country and check digits."""

import polars as pl

from tasks.personal.finder import AFTER, ESCAPED, PIECE, Finder

# fmt: off
LENGTHS = {  # the SWIFT IBAN registry, release 99
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24,
    "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31,
    "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}
# The registry's own examples, and what banks and encyclopaedias print instead of an account.
SAMPLE_IBANS = (
    "GB82WEST12345698765432", "GB29NWBK60161331926819", "GB33BUKB20201555555555",
    "GB94BARC10201530093459", "GB15MIDL40051512345678", "DE89370400440532013000",
    "DE75512108001245126199", "DE91100000000123456789", "DE02120300000000202051",
    "DE02500105170137075030", "DE12500105170648489890", "DE88100900001234567892",
    "FR1420041010050500013M02606", "FR7630006000011234567890189", "FR7630001007941234567890185",
    "ES9121000418450200051332", "ES7921000813610123456789", "IT60X0542811101000000123456",
    "NL91ABNA0417164300", "NL02ABNA0123456789", "NL39RABO0300065264", "NL20INGB0001234567",
    "BE68539007547034", "BE71096123456769", "CH9300762011623852957", "CH5604835012345678009",
    "AT611904300234573201", "AT483200000012345864", "IE29AIBK93115212345678",
    "IE64IRCE92050112345678", "LU280019400644750000", "LU120010001234567891",
    "PT50000201231234567890154", "PT50002700000001234567833", "DK5000400440116243",
    "DK9520000123456789", "NO9386011117947", "NO8330001234567", "SE4550000000058398257466",
    "SE7280000810340009783242", "FI2112345600000785", "FI1410093000123458",
    "PL61109010140000071219812874", "PL10105000997603123456789123", "CZ6508000000192000145399",
    "CZ5508000000001234567899", "SK3112000000198742637541", "SK8975000000000012345671",
    "HU42117730161111101800000000", "HU93116000060000000012345676", "GR1601101250000000012300695",
    "GR9608100010000001234567890", "RO49AAAA1B31007593840000", "RO09BCYP0000001234567890",
    "BG80BNBG96611020345678", "BG18RZBB91550123456789", "HR1210010051863000160",
    "HR1723600001101234565", "SI56263300012039086", "SI56192001234567892", "EE382200221020145685",
    "EE471000001020145685", "LV80BANK0000435195001", "LV97HABA0012345678910",
    "LT121000011101001000", "LT601010012345678901", "MT84MALT011000012345MTLCAST001S",
    "MT31MALT01100000000000000000123", "CY17002001280000001200527600", "TR330006100519786457841326",
    "TR320010009999901234567890", "SA0380000000608010167519", "SA4420000001234567891234",
    "AE070331234567890123456", "AE460090000000123456789", "IL620108000000099999999",
    "IL170108000000012612345", "KW81CBKU0000000000001234560101", "QA58DOHB00001234567890ABCDEFG",
    "LI21088100002324013AA", "LI7408806123456789012", "MC5811222000010123456789030",
    "MC5810096180790123456789085", "SM86U0322509800000000270100", "SM76P0854009812123456789123",
    "UA213223130000026007233566001", "UA903052992990004149123456789", "KZ86125KZT5004100100",
    "KZ563190000012344567", "IS140159260076545510730339", "IS750001121234563108962099",
    "AD1200012030200359100100", "AD1400080001001234567890", "BR1800360305000010009795493C1",
    "BR1500000000000010932840814P2", "PK36SCBL0000001123456702", "PK36SCBL0000001123456702",
)
# fmt: on
_MADE_UP = r"^....(?:.*(?:1234567|9876543|0{10}|1{8}|X{4}|TEST).*)$"


def is_iban(account: pl.Expr) -> pl.Expr:
    """Whether a number without spaces has its country's length and leaves 1 modulo 97.

    ISO 7064 MOD 97-10: the first four characters go to the end, letters become 10 to 35.
    """
    length = account.str.head(2).replace_strict(LENGTHS, default=None, return_dtype=pl.UInt32)
    letters = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    number = pl.concat_str(account.str.slice(4), account.str.head(4)).str.replace_many(
        letters, [str(code) for code in range(10, 36)]
    )
    padded = number.str.zfill(72)  # 34 characters, two digits each at most; zeros change nothing
    rest = pl.lit(0, dtype=pl.Int64)
    for place in range(0, 72, 9):
        rest = (rest * 1_000_000_000 + padded.str.slice(place, 9).cast(pl.Int64, strict=False)) % 97
    return (account.str.len_chars() == length).fill_null(False) & (rest == 1)


def _iban() -> pl.Expr:
    account = PIECE.str.replace_all("[ -]", "")
    known = account.is_in(SAMPLE_IBANS) | account.str.contains(_MADE_UP)
    return is_iban(account) & ~known & ~AFTER.str.contains(r"^(?:[0-9A-Za-z_]|[ -][0-9]{2})")


# What stands there is cut by the length of the country, for a word in capitals may follow.
def _shape(country: str, length: int) -> str:
    groups, last = divmod(length - 4, 4)
    tail = rf" ?[0-9A-Z]{{{last}}}" if last else ""
    return rf"{country}[0-9]{{2}}(?:(?: [0-9A-Z]{{4}}){{{groups}}}{tail}|[0-9A-Z]{{{length - 4}}})"


_SHAPES = "|".join(_shape(country, length) for country, length in LENGTHS.items())
# False positive, known: an invented account whose check digits are right.
IBANS = Finder(
    hints=(r"[0-9]{2} ?[0-9A-Z]{4} ?[0-9A-Z]{4}",),
    patterns=((rf"^|{ESCAPED}|[^0-9A-Za-z]", _SHAPES),),
    holds=_iban(),
)
