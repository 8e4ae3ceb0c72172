import pytest

from schemas.privacy import Privacy
from schemas.reasons import DropReason
from tasks.filter.judge import judge
from tests.filter.rows import only, records

# fmt: off
EMAILS = {  #                        text                                              found
    "a person":                    ("Write to emma.watson@gmail.com today.",            "emma.watson@gmail.com"),
    "at a company":                ("jsmith@taxaccountants.com",                        "jsmith@taxaccountants.com"),
    "with a plus":                 ("<li.wei+spam@163.com>",                            "li.wei+spam@163.com"),
    "in Chinese":                  ("邮箱：wang_fang88@qq.com。",                         "wang_fang88@qq.com"),
    "touching Chinese":            ("请发到zhangsan1990@sina.com.cn谢谢",                 "zhangsan1990@sina.com.cn"),
    "in capitals":                 ("J.TREMAINE@GMAIL.COM",                             "J.TREMAINE@GMAIL.COM"),
    "after an example":            ("a@example.com or k.philip@aol.com",                "k.philip@aol.com"),
    "in markup":                   ('<a href="mailto:h.mann@web.de">h</a>',             "h.mann@web.de"),
    "nearly a role":               ("hill@gmail.com",                                   "hill@gmail.com"),
    "nearly a stand-in":           ("youri99@mail.ru",                                  "youri99@mail.ru"),
    "a role and a name":           ("sales.miller@hotmail.com",                         "sales.miller@hotmail.com"),
    "example domain":              ("john@example.com",                                 None),
    "below an example domain":     ("john@mail.example.org",                            None),
    "nearly the example domain":   ("jane@example2.com",                                None),
    "reserved endings":            ("max.muster@firm.test, eva.muster@host.invalid",    None),
    "localhost":                   ("anna.berg@localhost.localdomain.local",            None),
    "stand-in domain":             ("mary@domain.com, mary@email.com",                  None),
    "your company":                ("yourname@yourdomain.com, hans@your-company.com",   None),
    "documentation style":         ("abc@xyz.com",                                      None),
    "stand-in name":               ("username@gmail.com, test@gmail.com",               None),
    "numbered stand-in name":      ("user123@gmail.com",                                None),
    "John Doe":                    ("john.doe@gmail.com",                               None),
    "role mailbox":                ("support@microsoft.com",                            None),
    "machine mailbox":             ("no-reply@github.com, alerts@info6.citi.com",       None),
    "credentials of a URL":        ("postgres://admin:secret@db.prod.net/x",            None),
    "remote of a repository":      ("git@github.com:owner/name.git",                    None),
    "decorator":                   ("x = 1\n@app.route('/')",                           None),
    "image for fine screens":      ("logo@2x.png, icons@mono.svg",                      None),
    "masked":                      ("j***@gmail.com",                                   None),
    "no ending":                   ("me@home",                                          None),
    "version":                     ("left-pad@1.3.0",                                   None),
}
PHONES = {
    "North American":              ("Call (732)830-9763 now",                           "(732)830-9763"),
    "with hyphens":                ("502-294-8258",                                     "502-294-8258"),
    "with points":                 ("T: 212.684.4700.",                                 "212.684.4700"),
    "with country code":           ("or + 1 (790) 998-9545.",                           "+ 1 (790) 998-9545"),
    "bare international":          ("phone:+12144448444",                               "+12144448444"),
    "British":                     ("+44 20 8123 4567",                                 "+44 20 8123 4567"),
    "German":                      ("Tel. +49 30 901820",                               "+49 30 901820"),
    "Chinese mobile":              ("手机13912345670",                                   "13912345670"),
    "Chinese mobile in groups":    ("139 1234 5670 or 139-1234-5670",                   "139 1234 5670"),
    "Chinese mobile with code":    ("+86 139 1234 5670",                                "+86 139 1234 5670"),
    "touching Chinese":            ("电话是13912345670，谢谢",                             "13912345670"),
    "Chinese landline":            ("总机：010-62751234",                                 "010-62751234"),
    "landline in brackets":        ("(0755)26981234",                                   "(0755)26981234"),
    "after a specimen":            ("555-123-4567, 912-901-8020",                       "912-901-8020"),
    "in bold":                     ("**502-294-8258**",                                 "502-294-8258"),
    "555 exchange":                ("(415) 555-1234, 1-415-555-0123, +1 415 555 0199",  None),
    "555 area":                    ("555-123-4567, (555) 123-4567",                     None),
    "counted up":                  ("123-456-7890, (234) 567-8901",                     None),
    "counted down":                ("987-654-3210",                                     None),
    "one digit over and over":     ("222-222-2222, 13888888888",                        None),
    "no such area code":           ("(000) 000-0000, 111-222-3333",                     None),
    "toll-free":                   ("(800) 561-3524, 1-888-123-4567",                   None),
    "Chinese hotline":             ("400-820-8820, 95588",                              None),
    "China Mobile's example":      ("13800138000",                                      None),
    "drama":                       ("+44 20 7946 0958, +44 7700 900123",                None),
    "inside a longer number":      ("9139123456701, 502-294-82581",                     None),
    "card-like":                   ("4502-294-8258-1234",                               None),
    "decimal":                     ("3.13912345670, 14.13912345670",                    None),
    "price":                       ("$13912345670",                                     None),
    "date":                        ("2020-01-12 10:11:12",                              None),
    "ISBN":                        ("ISBN 978-0-306-40615-7",                           None),
    "sum":                         ("2 500 000 + 1 500 000, 3(3) + 3(3) - 10",          None),
    "product":                     ("= 13912345670 x 2 =13912345670",                   "13912345670"),
    "identifier":                  ("ID_13912345670A",                                  None),
    "too short":                   ("+49 30 90",                                        None),
}
ID_NUMBERS = {
    "Chinese":                     ("身份证号110101199003071233。",                        "110101199003071233"),
    "check character X":           ("11010119900307002X",                               "11010119900307002X"),
    "check character x":           ("11010119900307002x",                               "11010119900307002x"),
    "leap day":                    ("440306200002290033",                               "440306200002290033"),
    "after an invalid one":        ("110101199003071234 310104198512314514",            "310104198512314514"),
    "wrong check character":       ("110101199003071234",                               None),
    "no such province":            ("990101199003071237",                               None),
    "no such day":                 ("110101199002311231",                               None),
    "no leap year":                ("440306190002290037",                               None),
    "the standard's example":      ("11010519491231002X",                               None),
    "inside a longer number":      ("1101011990030712330",                              None),
    "social security":             ("SSN: 219-12-3456",                                 "219-12-3456"),
    "after a specimen too":        ("078-05-1120, 219-12-3456",                         "219-12-3456"),
    "never issued: 000":           ("000-12-3456",                                      None),
    "never issued: 666":           ("666-12-3456",                                      None),
    "never issued: 9xx":           ("912-12-3456",                                      None),
    "never issued: group":         ("219-00-3456",                                      None),
    "never issued: serial":        ("219-12-0000",                                      None),
    "advertised":                  ("078-05-1120",                                      None),
    "specimen":                    ("123-45-6789, 111-11-1111",                         None),
    "part number":                 ("219-12-3456-01, A219-12-3456, 1219-12-3456",       None),
    "CAS number":                  ("7732-18-5",                                        None),
}
# fmt: on
CASES = {
    f"{reason.value}: {name}": (reason, text, found)
    for reason, cases in {
        DropReason.EMAIL: EMAILS,
        DropReason.PHONE: PHONES,
        DropReason.ID_NUMBER: ID_NUMBERS,
    }.items()
    for name, (text, found) in cases.items()
}


def only_kind(reason: DropReason) -> Privacy:
    return Privacy(**{kind: kind == reason for kind in ("email", "phone", "id_number")})


@pytest.mark.parametrize(("reason", "text", "found"), CASES.values(), ids=CASES)
def test_personal_data_is_told_from_documentation(reason, text, found):
    rules = only(privacy=only_kind(reason))
    verdicts = judge(records((text, "Yes."), ("What?", text)), rules).collect()
    assert verdicts.select("drop_reason", "found").rows() == (
        [(reason, found)] * 2 if found else [(None, None)] * 2
    )


def test_every_kind_can_be_kept_by_the_recipe():
    text = "emma.watson@gmail.com, 502-294-8258, 219-12-3456"
    kept = judge(records(("Whose?", text)), only(privacy=Privacy(email=False))).collect()
    assert kept["drop_reason"].to_list() == [DropReason.PHONE]


def test_the_first_reason_in_the_glossary_has_the_word():
    text = "219-12-3456, 502-294-8258, emma.watson@gmail.com"
    verdict = judge(records(("Whose?", text)), only(privacy=Privacy())).collect()
    assert verdict["drop_reason"].to_list() == [DropReason.EMAIL]
