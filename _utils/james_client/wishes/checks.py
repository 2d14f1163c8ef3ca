"""Allow-lists for every value that ends in a cf, an mc, a shell-read file or a credential file.

A checker takes a value and its key path, gives the value back in the form to write, or raises
SettingsError. Nothing here does I/O. Sources: Sendmail Installation and Operation Guide
(op), sections 4.2, 5.1 and 5.6; sendmail's ``usersmtp.c``, ``conf.c`` and ``readcf.c``.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable
from typing import Any

from james_client.wishes.mistakes import SettingsError, integer, list_of, matched, refuse
from james_client.wishes.secret import MASK, Secret

ANSWER_BYTES = 252
"""Bytes of one value that ruleset authinfo can answer with: a token of its rules holds MAXNAME, 256
bytes in all versions, ``"P=`` and ``"`` included; prescan() in parseaddr.c, getauth()."""

NEVER = "never"
"""In place of an interval: not at all."""

# Words that m4 expands even without a parenthesis, each time it reads them again; lower and
# strcasecmp are sendmail's own (cf.m4), whose other names are in capitals.
_M4_WORD = re.compile(
    r"(?<![A-Za-z0-9_])(changecom|changequote|debugfile|debugmode|divert|divnum|dnl|dumpdef|lower"
    r"|m4exit|strcasecmp|sysval|traceoff|traceon|undivert)(?![A-Za-z0-9_])"
)
# Mailers that keep, drop or execute mail instead of handing it to a host (op 5.4).
_NOT_A_RELAY = frozenset({"discard", "error", "local", "prog"})
# What Cyrus SASL knows, without ANONYMOUS: it logs in as nobody.
_MECHANISM = re.compile(
    r"CRAM-MD5|DIGEST-MD5|EXTERNAL|GS2-IAKERB|GS2-KRB5|GSS-SPNEGO|GSSAPI|KERBEROS_V4|LOGIN|NTLM"
    r"|OAUTHBEARER|OTP|PASSDSS-3DES-1|PLAIN|SCRAM-SHA-(?:1|224|256|384|512)(?:-PLUS)?|SRP|XOAUTH2"
)
# Directories that others than root write to, or that a reboot empties.
_OPEN_DIRECTORY = re.compile(
    r"(/dev|/home|/media|/mnt|/proc|/run|/sys|/tmp|/var/(?:crash|lock|mail|run|spool|tmp))/"
)
# Directories of which other programs, or this formula, read, execute, copy or serve every file.
_OTHERS_DIRECTORY = re.compile(
    r"(/(?:bin|boot|lib[a-z0-9]*|sbin|srv|usr(?!/local/etc/)|var/(?:backups|cache|db|lib|log|www))"
    r"|/(?:[^/]+/)*(?:[^/]+\.d|cron[^/]*|skel|systemd|www|htdocs|public_html|\.[^/]*))/"
)

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAILER = re.compile(r"[a-z][a-z0-9_-]{0,19}")
_INTERVAL = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_LOCAL_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_ADDRESS = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._+=!%-]{0,99}(?:@(?P<host>[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]))?"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]{0,63}(?:@[A-Za-z0-9.-]{1,187})?")
_REALM = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._@-]{{0,{ANSWER_BYTES - 1}}}")
_OPTIONS = re.compile(r"[Aacdfmpy](?:[, ]+[Aacdfmpy])*")
_PATH = re.compile(r"(?:/[a-z0-9._-]+)+")
_SWITCH_FILE = re.compile(r"(?:/[A-Za-z0-9_.@+-]+)+\.switch")
_TEXTFILE = re.compile(r"(?:/[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*)+\.prom")
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~-]+)*)/?"
)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
_WEBADMIN_PASSWORD = re.compile(r"[!-+\--~]{1,4096}")
_BACKUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _no_m4_word(value: str, path: str) -> str:
    word = _M4_WORD.search(value)
    if word is not None:
        raise refuse(path, f"no word that m4 expands ({word.group()})", value)
    return value


def check_port(value: Any, path: str) -> int:
    """Accept a TCP port, 1..65535."""
    return integer(1, 65535)(value, path)


def check_host(value: Any, path: str) -> str:
    """Accept what sendmail takes after ``mailer:`` and give it in lower case.

    That is a host name (RFC 952/1123), an IPv4 address in brackets, or ``[IPv6:…]`` (op 5.1.3).
    A mailer prefix is refused: it belongs into ``relay:mailer``.
    """
    wanted = "a host name, [192.0.2.1] or [IPv6:2001:db8::1]"
    if not isinstance(value, str) or not value.isascii():
        raise refuse(path, wanted + (" in ASCII" if isinstance(value, str) else ""), value)
    name = value.lower()
    if name.startswith("[") and name.endswith("]"):
        return _bracketed(value, path, wanted)
    bare = _address(name.removeprefix("ipv6:"))
    if bare is not None:
        raise refuse(path, _in_brackets(bare), value)
    if re.fullmatch(r"[a-z][a-z0-9_-]*:[^:]+", name):
        raise refuse(path, f"{wanted}, and the mailer before ':' in relay:mailer", value)
    last = name.rpartition(".")[2]
    if not _HOST_NAME.fullmatch(name) or len(name) > 253 or last.isdigit():
        raise refuse(path, wanted, value)
    return _no_m4_word(name, path)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        # What follows a % names an interface and may be any text.
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _in_brackets(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return f"[{address}]"
    if address.ipv4_mapped is not None:
        return f"[{address.ipv4_mapped}]"
    return f"[IPv6:{address.compressed}]"


def _bracketed(value: str, path: str, wanted: str) -> str:
    inner = value[1:-1].lower()
    address = _address(inner.removeprefix("ipv6:"))
    if address is not None and (address.is_unspecified or address.is_multicast):
        raise refuse(path, "an address of one host", value)
    if address is not None:
        right = _in_brackets(address)
        if right.lower() != value.lower():
            raise refuse(path, right, value)
        return right
    if _HOST_NAME.fullmatch(inner) and not inner.rpartition(".")[2].isdigit():
        raise refuse(path, f"{inner} without brackets (relay:mx_lookup decides on MX)", value)
    raise refuse(path, wanted, value)


def is_loopback(host: str) -> bool:
    """Tell whether a checked host is this very machine: localhost, 127/8 or ::1."""
    address = _address(re.sub(r"(?i)^\[(?:ipv6:)?|\]$", "", host))
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return host.lower() == "localhost" if address is None else address.is_loopback


def check_mailer(value: Any, path: str) -> str:
    """Accept the name of a mailer that can hand mail to a host (op 5.4)."""
    wanted = "a mailer's name in lower case such as esmtp"
    name = matched(value, path, wanted, _MAILER).group()
    if name in _NOT_A_RELAY:
        raise refuse(path, "a mailer that speaks SMTP, such as esmtp", value)
    return _no_m4_word(name, path)


def interval(high: int, *words: str) -> Callable[[Any, str], str]:
    """Make a checker for an interval in sendmail's units, 1 second to ``high`` seconds (op 5.6).

    words
        what may stand in its place
    """

    def check(value: Any, path: str) -> str:
        wanted = f"an interval such as 10m, 1h30m or 5s, 1s to {high // 3600}h"
        wanted = ", or ".join([wanted, *words])
        if isinstance(value, str) and value in words:
            return value
        found = matched(value, path, wanted, _INTERVAL)
        if any(len(n or "") > 6 for n in found.groups()) or not 1 <= seconds(found.group()) <= high:
            raise refuse(path, wanted, value)
        return found.group()

    return check


def seconds(text: str, unit: str = "s") -> int:
    """Give the seconds of an interval as sendmail counts them: convtime() in convtime.c.

    unit
        the letter of a number that has none
    """
    found = re.findall(r"([0-9]{1,9})([wdhms]?)", text)
    return sum(int(number) * _SECONDS[letter or unit] for number, letter in found)


def check_local_part(value: Any, path: str) -> str:
    """Accept one name as class L holds them: no domain, no ``+tag``."""
    return matched(value, path, "a local name of letters, digits and ._-", _LOCAL_PART).group()


def check_domain(value: Any, path: str) -> str:
    """Accept a domain's name, as it stands behind an address's @, and give it in lower case."""
    wanted = "a domain such as example.org"
    name = value.lower() if isinstance(value, str) else ""
    if not _HOST_NAME.fullmatch(name) or len(name) > 253 or name.rpartition(".")[2].isdigit():
        raise refuse(path, wanted, value)
    return _no_m4_word(name, path)


def check_masquerade_exception(value: Any, path: str) -> str:
    """Accept a user, or a host with an @ before it, who keeps his address (classes E and N)."""
    wanted = "a user's name, or a host such as @shop.example.org"
    if isinstance(value, str) and value.startswith("@"):
        return "@" + check_domain(value[1:], path)
    return _no_m4_word(matched(value, path, wanted, _LOCAL_PART).group(), path)


def check_address(value: Any, path: str) -> str:
    """Accept one address to ask ``sendmail -bt`` about: ``name`` or ``name@host``, ASCII."""
    match = matched(value, path, "one address such as root or name@example.org", _ADDRESS)
    if match["host"] is not None:
        check_host(match["host"], path)
    return match.group()


def check_remote_address(value: Any, path: str) -> str:
    """Accept ``name@host``, without the ``%`` and ``!`` of old routes."""
    address = check_address(value, path)
    if not re.fullmatch("[^@!%]+@[^@!%]+", address):
        raise refuse(path, "an address with a domain such as name@example.org", value)
    return address


def check_username(value: Any, path: str) -> str:
    """Accept a James user name; it is a line of the credential file and part of a WebAdmin URL."""
    wanted = "a user name of ASCII letters, digits and ._+=-, perhaps with @domain"
    return matched(value, path, wanted, _USER).group()


def check_realm(value: Any, path: str) -> str:
    """Accept a SASL realm, a line of the credential file."""
    return matched(value, path, "a realm such as localhost", _REALM).group()


def check_password(value: Any, path: str) -> Secret:
    """Accept any password that sendmail can send; the message never shows it.

    Source: getauth() in sendmail's usersmtp.c handles it as a C string.
    """
    if not isinstance(value, str):
        raise _refuse_secret(path, "a string", value)
    _no_mask(value, path)
    reasons = {
        "a newline is most often a slip, of a YAML block say": "\n" in value,
        "sendmail reads it as a C string, a NUL would end it": "\0" in value,
        "James cannot take an empty one": not value,
        "half a character (a lone surrogate) has no UTF-8 form": re.search(
            "[\ud800-\udfff]", value
        ),
    }
    for reason, found in reasons.items():
        if found:
            raise SettingsError([f"{path}: expected another password: {reason}"])
    return Secret(str.__str__(value))


def check_fits(username: str, password: Secret, path: str) -> None:
    """Refuse a password that is too long, in base64, for an answer of ruleset authinfo."""
    room, size = ANSWER_BYTES // 4 * 3, len(password.reveal().encode())
    if size > room:
        raise SettingsError([f"{path}: expected at most {room} bytes for sendmail, got {size}"])


def _no_mask(value: Any, path: str) -> None:
    """Refuse what Salt shows in a secret's place: the pillar came masked, or was copied so."""
    if value == MASK:
        wanted = "the secret itself (pillar.get of Salt 3008 gives it with unmask=True only)"
        raise SettingsError([f"{path}: expected {wanted}, got Salt's mask for secrets"])


def _refuse_secret(path: str, wanted: str, value: Any) -> SettingsError:
    found = "nothing" if value is None else type(value).__name__
    hint = "" if isinstance(value, str) else ": quote it"
    return SettingsError([f"{path}: expected {wanted}, got {found}{hint}"])


def check_token(value: Any, path: str) -> Secret:
    """Accept a WebAdmin token as an HTTP header can carry it; the message never shows it."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        _no_mask(value, path)
        raise _refuse_secret(path, "a token of letters, digits and ._~+/=-", value)
    return Secret(str.__str__(value))


def check_webadmin_password(value: Any, path: str) -> Secret:
    """Accept a password of WebAdmin as an HTTP header can carry it; the message never shows it.

    Source: James's PasswordFilter, which splits its list at commas.
    """
    _no_mask(value, path)
    if not isinstance(value, str) or not _WEBADMIN_PASSWORD.fullmatch(value):
        raise _refuse_secret(path, "a password of ASCII characters but space and comma", value)
    return Secret(str.__str__(value))


def check_mechanisms(value: Any, path: str) -> tuple[str, ...]:
    """Accept mechanisms that Cyrus SASL knows, as given: sendmail uses no other at James."""

    def check(one: Any, where: str) -> str:
        upper = isinstance(one, str) and one.isascii() and _MECHANISM.fullmatch(one.upper())
        wanted = f"{one.upper()} in capitals" if upper else "a SASL mechanism such as LOGIN"
        return matched(one, where, wanted, _MECHANISM).group()

    names = list_of(check, "SASL mechanisms")(value, path)
    size = len(" ".join(names))
    if not 0 < size <= ANSWER_BYTES:
        wanted = f"mechanisms such as LOGIN, PLAIN of at most {ANSWER_BYTES} bytes in all"
        raise SettingsError([f"{path}: expected {wanted}, got {size or 'none'}"])
    return names


def check_options(value: Any, path: str) -> str:
    """Accept letters of AuthOptions (op 5.6), separated; they come back joined by commas."""
    wanted = "letters of A a c d f m p y separated by commas"
    text = matched(value, path, wanted, _OPTIONS).group()
    return ",".join(dict.fromkeys(re.split("[, ]+", text)))


def check_credential_file(value: Any, path: str) -> str:
    """Accept the path of a credential file of our own.

    A leading ``|`` would make sendmail execute it; Debian's update_auth owns default-auth-info;
    the name's ending keeps every other file of the host out of reach.
    """
    wanted = "an absolute path in lower case that ends in auth-info"
    text = matched(value, path, wanted, _PATH).group()
    name = posixpath.basename(text)
    if not name.endswith("auth-info"):
        raise refuse(path, wanted, value)
    if name == "default-auth-info":
        raise refuse(path, "another name: default-auth-info is the distribution's", value)
    return _in_own_directory(text, path, wanted)


def check_switch_file(value: Any, path: str) -> str:
    """Accept the path of a service switch file of our own (op 5.6, ServiceSwitchFile)."""
    wanted = "an absolute path that ends in .switch"
    text = matched(value, path, wanted, _SWITCH_FILE).group()
    return _in_own_directory(text, path, wanted)


def check_textfile(value: Any, path: str) -> str:
    """Accept the path of a file that node_exporter reads: those that end in .prom."""
    wanted = "an absolute path that ends in .prom"
    text = matched(value, path, wanted, _TEXTFILE).group()
    if len(text) > 200:
        raise refuse(path, wanted, value)
    return text


def _in_own_directory(text: str, path: str, wanted: str) -> str:
    """Refuse a file where others write, or where another program would take it for its own."""
    if posixpath.normpath(text) != text or len(text) > 200:
        raise refuse(path, wanted, text)
    if opened := _OPEN_DIRECTORY.match(text):
        right = f"a lasting directory that only root writes to, not {opened.group(1)}"
        raise refuse(path, right, text)
    if taken := _OTHERS_DIRECTORY.match(text):
        right = f"sendmail's directory or one of its own, not {taken.group(1)}, which others read"
        raise refuse(path, right, text)
    return _no_m4_word(text, path)


def check_webadmin(value: Any, path: str) -> str:
    """Accept WebAdmin's address, ``http(s)://host[:port][/prefix]``, without a final slash."""
    wanted = "an address such as http://127.0.0.1:8000, without user, password or query"
    if isinstance(value, str) and "@" in value:
        raise SettingsError([f"{path}: expected {wanted}, got one with an @"])
    match = matched(value, path, wanted, _URL)
    host, port = match["host"], match["port"]
    address = _address(host.strip("[]"))
    name = _HOST_NAME.fullmatch(host.lower()) and not host.rpartition(".")[2].isdigit()
    good = name if address is None else (address.version == 6) == host.startswith("[")
    if not good or (port is not None and not 1 <= int(port) <= 65535) or ".." in match["path"]:
        raise refuse(path, wanted, value)
    return match.group().rstrip("/")


def is_cleartext(url: str) -> bool:
    """Tell whether what is sent to a checked WebAdmin address crosses a network unencrypted."""
    match = _URL.fullmatch(url)
    return match is not None and match["scheme"] == "http" and not is_loopback(match["host"])


def check_backup(value: Any, path: str) -> str:
    """Accept the id of a backup: a plain file name."""
    return matched(value, path, "a backup's id as `backups` lists them", _BACKUP).group()
