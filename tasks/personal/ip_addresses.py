"""Public addresses of the Internet Protocol; networks and documentation are nobody's."""

import polars as pl

from tasks.personal.finder import AFTER, BEFORE, ESCAPED, PIECE, Finder, says

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_V4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_V6 = r"[23][0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){2,7}"

NOT_PUBLIC = "|".join(
    (
        r"^(?:0|10|127)\.|^172\.(?:1[6-9]|2[0-9]|3[01])\.|^192\.168\.",  # RFC 1122, RFC 1918
        r"^100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|^169\.254\.",  # RFC 6598, RFC 3927
        r"^192\.0\.[02]\.|^198\.51\.100\.|^203\.0\.113\.",  # RFC 6890, RFC 5737
        r"^198\.1[89]\.|^192\.88\.99\.|^(?:22[4-9]|2[3-5][0-9])\.",  # RFC 2544, RFC 7526, RFC 1112
        r"\.0$|\.255$",  # networks and broadcasts
    )
)
SAMPLES = "|".join(
    (
        # Resolvers that everybody knows.
        r"^8\.8\.[48]\.[48]$|^1\.[01]\.[01]\.1$|^9\.9\.9\.(?:9|10)$|^4\.2\.2\.[1-6]$",
        r"^208\.67\.22[02]\.22[02]$|^114\.114\.11[45]\.11[459]$|^223\.[56]\.[56]\.[56]$",
        r"^119\.29\.29\.29$|^180\.76\.76\.76$",
        # What people type: counted, or one digit over and over.
        r"^(?:1\.2\.3\.4|2\.3\.4\.5|5\.6\.7\.8|4\.3\.2\.1|9\.8\.7\.6|6\.7\.8\.9)$",
        r"^(?:12\.34|23\.45|34\.56|45\.67|98\.76|87\.65|11\.22|123\.45?6?|111\.222|123\.123)\.",
        *(rf"^{one}{{1,3}}(?:\.{one}{{1,3}}){{3}}$" for one in "123456789"),
    )
)
NOT_PUBLIC_V6 = (
    r"(?i)^2001:0?db8|^3fff:|^2001:0{1,4}:|^2001::|^2002:|::$"  # RFC 3849, 9637, 4380, 3056; nets
    r"|^2001:4860:4860:|^2606:4700:4700:|^2620:0?:?fe:|^2620:119:"  # resolvers
    r"|:1234:5678|:abcd:|:1111:2222:|:2222:3333:"
)
ADDRESS_WORDS = (
    r"(?i)(?-u:\b)(?:ip|ipv4|host|hosts|server|client|visitor|ping|ssh|telnet|traceroute|connect\w*"
    r"|address|logged in|login|banned|blocked|from|user|remote)(?-u:\b)"
    r"|地址|服务器|登录|主机|来自|访问"
)
NUMBERED_WORDS = (
    r"(?i)(?:\bv\.?|\bversions?|\bver\.?|\brelease|\bbuild|\bfirmware|\bdriver|\bsections?|\bsec\.?"
    r"|\bchapter|\bclause|\bfigure|\bfig\.?|\btable|\boid|\bitem|\bstep|§|版本|版|章节|第|节)"
    r"[\s:=：]{0,3}$"
)


def _v4() -> pl.Expr:
    """Four numbers below 20 are a version or a section, unless the text speaks of addresses."""
    small = PIECE.str.contains(r"^(?:1?[0-9]\.){3}1?[0-9]$")
    spoken_of = says(ADDRESS_WORDS)
    network = AFTER.str.contains(r"^/[0-9]|^ ?(?:-|to|–) ?[0-9]+\.[0-9]+\.")
    numbered = BEFORE.str.contains(NUMBERED_WORDS)
    sampled = PIECE.str.contains(f"{NOT_PUBLIC}|{SAMPLES}")
    goes_on = AFTER.str.contains(r"^(?:[0-9A-Za-z_]|[.-][0-9A-Za-z])")
    written = PIECE.str.contains(f"^{_V4}$")
    return written & (spoken_of | ~small) & ~network & ~numbered & ~sampled & ~goes_on


def _v6() -> pl.Expr:
    """Eight groups, or fewer with one `::`; global unicast (2000::/3, RFC 4291)."""
    groups = PIECE.str.count_matches(":") + 1
    gaps = PIECE.str.count_matches("::")
    whole = ((gaps == 0) & (groups == 8)) | ((gaps == 1) & (groups <= 8))
    written = PIECE.str.contains(":") & whole & ~PIECE.str.contains(":::|[^:]:$")
    goes_on = AFTER.str.contains(r"^(?:[0-9A-Za-z_/]|[.:][0-9A-Za-z])")
    return written & ~goes_on & ~PIECE.str.contains(NOT_PUBLIC_V6)


# False positive, known: an invented public address in an exercise ("Is 74.125.224.72 reachable?").
IP_ADDRESSES = Finder(
    hints=(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[23][0-9A-Fa-f]{3}:[0-9A-Fa-f]{0,4}:",),
    patterns=((rf"^|{ESCAPED}|[^0-9A-Za-z.:_$-]", f"{_V6}|{_V4}"),),
    holds=_v4() | _v6(),
)
