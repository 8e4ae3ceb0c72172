"""E-mail addresses of somebody."""

from tasks.personal.finder import EDGE, ESCAPED, PIECE, Finder

ADDRESS = (
    r"(?:://[^\s/@]*)?"  # kept, so that the credentials of a URL can be told from an address
    r"[A-Za-z0-9][A-Za-z0-9._%+-]*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}" + EDGE
)

_ROLES = (  # RFC 2142, and what companies call their mailboxes: nobody in particular
    "abuse|accounts?|admin(?:istrator)?|alerts?|billing|careers|contact(?:us)?|customer.?(?:care|"
    "service|support)|do.?not.?reply|editor|enquir(?:y|ies)|events?|feedback|ftp|git|hello|help(?:"
    "desk)?|hi|hostmaster|hr|info(?:rmation)?|inquir(?:y|ies)|jobs|legal|list|mailer.?daemon|"
    "marketing|media|news(?:letter)?|noc|no.?reply|notifications?|offers?|office|orders?|"
    "postmaster|press|privacy|promo(?:tion)?s?|recruit(?:ing|ment)?|reservations?|returns?|root|"
    "sales|security|services?|subscribe|support|team|unsubscribe|uucp|webmaster|welcome|www"
)
_STAND_INS = (  # what documentation writes where a name would stand
    "abcd?e?f?|alice|any(?:one|body)|bar|baz|bob|boss|carol|client|customer|demo|dummy|e-?mail|mail|"
    ".*example.*|fake.*|first.?name.*|first.?last|foo(?:bar)?|friend|jane.?doe|j.?doe|john.?doe|"
    "last.?name|me|my.?(?:e?mail|name|gmail|address|account|user).*|name|nobody|person|placeholder|"
    "random|receiver|recipient|sample.*|sender|some(?:one|body)|test(?:er|ing|user)?|user|"
    "user.?name|x+|xyz|you|"
    "your(?:[._-].*|e?mail.*|name|user.*|address|account|company|id)?"
)
_STAND_IN_LABELS = (  # the part of a domain before its ending
    "abc|acme|acme.?corp|any(?:site|where)|bar|baz|business|company|company.?name|contoso|"
    "corp|corporation|domain|domain.?name|e-?mail|[a-z0-9-]*example[a-z0-9-]*|fabrikam|"
    "foo(?:bar)?|host(?:name)?|invalid|localhost|mail.?server|my-?(?:app|business|company|corp|"
    "domain|e?mail|org|server|site|store|web-?site)|organi[sz]ation|provider|sample|server|site|"
    "some-?(?:company|domain|organi[sz]ation|site|where)|test|the-?company|web-?site|x+|xyz|"
    "xyz-?(?:company|corp)|your-?[a-z-]*"
)
_RESERVED_ENDINGS = "example|internal|invalid|local|localhost|test"  # RFC 2606, RFC 6762, RFC 9476
_FILE_ENDINGS = "css|gif|html?|jpe?g|js|json|md|mp[34]|pdf|png|py|svg|txt|webp|ya?ml"

# fmt: off
NOT_A_PERSONS_ADDRESS = "|".join((
    r"^://",
    rf"^(?:{_ROLES})(?:[._+-][a-z]{{2}})?\d{{0,3}}@",
    rf"^(?:{_STAND_INS})[._+-]?\d{{0,6}}@",
    rf"@(?:[a-z0-9-]+\.)*(?:[a-z0-9]|(?:{_STAND_IN_LABELS})\d{{0,3}})\.(?:[a-z]{{2,3}}\.)?[a-z]+$",
    rf"\.(?:{_RESERVED_ENDINGS}|{_FILE_ENDINGS})$",
))
# fmt: on

# Struck out: reserved and stand-in domains (example.org, anything under .test, domain.com,
# email.com, yourcompany.com), stand-in names (user123@, jane.doe@, your_name@), role mailboxes
# (info@, no-reply@, sales@), credentials of a URL, and image names such as icon@2x.png.
EMAILS = Finder(
    hints=("@",),
    patterns=((f"(?:{ESCAPED})?", ADDRESS),),
    holds=~PIECE.str.contains(f"(?i){NOT_A_PERSONS_ADDRESS}"),
)
