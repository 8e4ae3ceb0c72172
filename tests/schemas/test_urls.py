import pytest

from schemas.urls import redacted, shown, without_login

# fmt: off
SHOWN = {  #           URL                                                shown
    "plain":          ("https://host:8443/a/b.json",                      "https://host:8443/a/b.json"),
    "user, password": ("https://user:hush@host/a.json",                   "https://host/a.json"),
    "an @ within it": ("https://user:hu@sh@host/a.json",                  "https://host/a.json"),
    "a short value":  ("https://host/a?raw=true&part=3",                  "https://host/a?raw=true&part=3"),
    "at 20 chars":    ("https://host/a?id=" + "x" * 20,                   "https://host/a?id=" + "x" * 20),
    "above 20 chars": ("https://host/a?id=" + "x" * 21,                   "https://host/a?id=…"),
    "a token":        ("https://host/a?access_token=x&b=1",               "https://host/a?access_token=…&b=1"),
    "a signature":    ("https://host/a?X-Amz-Signature=x",                "https://host/a?X-Amz-Signature=…"),
    "a fragment":     ("https://host/a#hush",                             "https://host/a"),
    "no URL":         ("https://[hush/a",                                 "https://…"),
}
# fmt: on


@pytest.mark.parametrize(("url", "expected"), SHOWN.values(), ids=SHOWN)
def test_a_url_is_shown_without_what_opens_it(url: str, expected: str):
    assert shown(url) == expected


def test_credentials_are_taken_out_of_any_text():
    text = "GET https://u:hush@host/a?sig=hush (token hf_hushhushhush), then http://host/b"

    assert redacted(text) == "GET https://host/a?sig=… (token hf_…), then http://host/b"


def test_user_and_password_are_decoded_for_the_login():
    assert without_login("https://me%40here:p%3Aw@host/a?b=1#c") == (
        "https://host/a?b=1",
        ("me@here", "p:w"),
    )
    assert without_login("https://host/a") == ("https://host/a", None)
