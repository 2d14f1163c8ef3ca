"""Generate cf and mc files in the shapes that sites give them: what is legal, and rare in a test.

Each strategy draws bytes from a stock file. Nothing here knows what the steps do with them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import strategies as st

from oracle.variants import MAILERS, MSP

# -- an mc ----------------------------------------------------------------------------------------

HOSTS = st.sampled_from(["hub.example.com", "[192.0.2.7]", "esmtp:[192.0.2.7]", "relay:a.example"])
LATE_NAMES = st.sampled_from(["SMART_HOST", "LOCAL_RELAY", "MAIL_HUB", "LUSER_RELAY"])
AUTH_DEFINES = st.sampled_from(
    [
        "define(`confAUTH_OPTIONS', `A p y')dnl",
        "define(`confAUTH_OPTIONS', `y')dnl",
        "define(`confAUTH_MECHANISMS', `GSSAPI DIGEST-MD5')dnl",
        "define(`confDEF_AUTH_INFO', `/etc/mail/partner')dnl",
        "TRUST_AUTH_MECH(`GSSAPI')dnl",
    ]
)
FLAGS = st.sampled_from(
    [
        "MODIFY_MAILER_FLAGS(`LOCAL', `-5')dnl",
        "MODIFY_MAILER_FLAGS(`LOCAL', `+S')dnl",
        "MODIFY_MAILER_FLAGS(`ESMTP', `+k0')dnl",
        "MODIFY_MAILER_FLAGS(`ESMTP', `-a')dnl",
        "define(`LOCAL_MAILER_FLAGS', `PSXmnz9')dnl",
        "define(`SMTP_MAILER_FLAGS', `a')dnl",
        "define(`ESMTP_MAILER_ARGS', `TCP $h 2526')dnl",
    ]
)
FEATURES = st.sampled_from(
    [
        "FEATURE(`nocanonify')dnl",
        "FEATURE(`always_add_domain')dnl",
        "FEATURE(`stickyhost')dnl",
        "FEATURE(`preserve_local_plus_detail')dnl",
        "MASQUERADE_AS(`example.com')dnl",
        "LOCAL_USER(`operator')dnl",
        "define(`confSERVICE_SWITCH_FILE', `/etc/mail/own.switch')dnl",
        "define(`confTO_QUEUEWARN', `2h')dnl",
        "define(`confFALLBACK_SMARTHOST', `[192.0.2.9]')dnl",
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\nMAILER(`cyrusv2')dnl",
        "MAILER(`procmail')dnl",
    ]
)
SECOND_MAILERS = st.sampled_from(
    [
        "MAILER_DEFINITIONS\nMESMTP,\tP=[IPC], F=mDFMu, A=TCP $h 2527",
        "MAILER_DEFINITIONS\nMEsmtp, P=[IPC], F=mDF, S=EnvFromSMTP, A=TCP $h",
        "MAILER_DEFINITIONS\nMother,\tP=[IPC], F=mDFM, F=uX, A=TCP $h",
    ]
)
OPTION_LINES = st.sampled_from(
    [
        "O Timeout.connect=1m",
        "O timeout.INITIAL = 5m",
        "O TIMEOUT.queuereturn.urgent=2d",
        "O AuthOptions=p",
        "O authmechanisms = CRAM-MD5",
        "O SmtpGreetingMessage=hello",
        "O MaxMessageSize=1000000",
        "OT3d/2h",
        "Odbackground",
        "O DeliveryMode=background",
        "O RunAsUser=mail",
        "O AliasFile=/etc/aliases, /etc/mail/more",
        "O ServiceSwitchFile=/etc/mail/own.switch",
    ]
)
COMMENTS = st.sampled_from(["dnl # since 2011, ask carol", "dnl", "", "# it isn't ours", "dnl `"])


def raw(lines: Sequence[str]) -> str:
    """Give LOCAL_CONFIG with lines that m4 hands on as they are."""
    return "\n".join(["LOCAL_CONFIG", *lines, "divert(0)dnl"])


def defines() -> st.SearchStrategy[str]:
    """Give a define of a relay, or of something about AUTH."""
    relays = st.builds("define(`{}', `{}')dnl".format, LATE_NAMES, HOSTS)
    return relays | AUTH_DEFINES


def early() -> st.SearchStrategy[str]:
    """Give what stands before the MAILER lines."""
    local = st.builds(raw, st.lists(OPTION_LINES, min_size=1, max_size=3))
    return defines() | FLAGS | FEATURES | local | COMMENTS


def late() -> st.SearchStrategy[str]:
    """Give what stands behind them."""
    local = st.builds(raw, st.lists(OPTION_LINES, min_size=1, max_size=2))
    return defines() | local | COMMENTS | SECOND_MAILERS


def _with(mc: bytes, place: bytes, before: Sequence[str], after: Sequence[str]) -> bytes:
    assert place in mc
    lines = ["", *before, ""]
    start, end = mc.split(place)
    return b"".join(
        [start.rstrip(b"\n"), "\n".join(lines).encode(), place, end, "\n".join(after).encode()]
    )


def mta_sources(stock: bytes) -> st.SearchStrategy[bytes]:
    """Give mc files of a sendmail.cf, from a stock one that ends in MAILER lines."""
    return st.builds(
        lambda before, after: _with(stock, MAILERS, before, after),
        st.lists(early(), max_size=4),
        st.lists(late(), max_size=2),
    )


def msp_sources(stock: bytes) -> st.SearchStrategy[bytes]:
    """Give mc files of a submit.cf, some with a smart host of the site's own."""
    return st.builds(
        lambda before, after: _with(stock, MSP, before, after),
        st.lists(early(), max_size=3),
        st.lists(late(), max_size=2),
    )


# -- a cf -----------------------------------------------------------------------------------------

NAMES = st.sampled_from([b"esmtp", b"ESMTP", b"Esmtp", b"eSmTp"])
COMMENT = st.sampled_from([b"", b"  # k0 since 2020", b" # F=, A=", b"\t#", b" # \xff"])
LINE_BREAK = st.sampled_from([b" ", b"\t", b"\n\t", b"\n ", b" \n\t\t"])
PORTS = st.sampled_from([b"", b" 25", b" 2526", b" smtp", b" 587"])
# sendmail reads the first letter alone, and knows no small one
KEYS = {b"F": [b"F", b"Flags", b"FF"], b"A": [b"A", b"Argv"], b"P": [b"P", b"Path"]}


@st.composite
def mailer_lines(draw: st.DrawFn) -> bytes:
    """Give a definition of the mailer esmtp: equates repeated, in any case, with comments."""

    def key(letter: bytes) -> bytes:
        return draw(st.sampled_from(KEYS[letter]))

    flags = draw(st.lists(st.sampled_from([b"mDFMuXa", b"mDFM", b"uXa", b"k", b"0", b"k0", b"5"])))
    equates = [key(b"P") + b"=[IPC]", b"S=EnvFromSMTP/HdrFromSMTP", b"R=EnvToSMTP"]
    equates += [key(b"F") + b"=" + some for some in flags or [b"mDFMuXa"]]
    equates = [*draw(st.permutations(equates)), b"E=\\r\\n", b"L=990", b"T=DNS/RFC822/SMTP"]
    args = [key(b"A") + b"=TCP $h" + draw(PORTS) for _ in range(draw(st.integers(1, 2)))]
    line = b"M" + draw(NAMES)
    for equate in (*equates, *args):
        comment = draw(COMMENT)
        gap = draw(LINE_BREAK)
        if comment and b"\n" not in gap:
            comment = b""
        line += b"," + comment + gap + equate
    return line + b"\n"


STOCK_MAILER = re.compile(rb"(?m)^Mesmtp,.*\n(?:[ \t].*\n)*")
VERSIONS = st.sampled_from([b"V10/Berkeley"] * 6 + [b"V9/Berkeley", b"V10", b"V8", b"V 10/Sun"])


@st.composite
def configurations(draw: st.DrawFn, stock: bytes) -> bytes:
    """Give a sendmail.cf: its mailer otherwise, twice perhaps, raw options, another V line."""
    line = draw(mailer_lines())
    cf = STOCK_MAILER.sub(lambda _: line, stock)
    if draw(st.integers(0, 4)) == 0:
        cf += draw(mailer_lines())
    options = b"".join(one.encode() + b"\n" for one in draw(st.lists(OPTION_LINES, max_size=3)))
    cf = cf.replace(b"O DeliveryMode", options + b"O DeliveryMode", 1)
    return cf.replace(b"V10/Berkeley", draw(VERSIONS), 1)


@st.composite
def spliced(draw: st.DrawFn, stock: bytes) -> bytes:
    """Give a file in which bytes stand, or are missing, anywhere."""
    data = stock
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 40))
        piece = draw(
            st.binary(max_size=30) | st.sampled_from([b"\n", b"\n\t", b"\r", b"`", b"'", b"#"])
        )
        data = data[:at] + piece + data[at + gone :]
    return data
