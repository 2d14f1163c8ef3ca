"""No transcript shows a credential, whatever its form; what is innocent stays."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from james_client.scrub import HIDDEN, scrub, scrub_all
from james_client.wishes.secret import Secret

PASSWORD = "Zx9-Quelle&%Bach"
ENDS = ("\n", "\r\n", "\r")


def b64(text: str) -> str:
    """Give the base64 form of a text."""
    return base64.b64encode(text.encode()).decode()


# (what was said, what may be shown); None: the line may be shown as it is
PLAIN = [
    ("220 mail.example.test SMTP", None),
    (">>> EHLO mail.example.test", None),
    ("250-mail.example.test Hello", None),
    ("250-AUTH LOGIN PLAIN", None),
    ("250 AUTH=LOGIN PLAIN", None),
    (f">>> AUTH PLAIN {b64(chr(0).join(('', 'sendmail', PASSWORD)))}", f">>> AUTH PLAIN {HIDDEN}"),
    ("235 Authentication Successful", None),
    (">>> MAIL From:<root@example.test> SIZE=33 AUTH=root@example.test", None),
    ("250 2.1.0 Sender <root@example.test> OK", None),
]
LOGIN = [
    ("250 AUTH LOGIN PLAIN", None),
    (">>> AUTH LOGIN", None),
    ("334 VXNlcm5hbWU6", f"334 {HIDDEN}"),
    (f">>> {b64('sendmail')}", f">>> {HIDDEN}"),
    ("334 UGFzc3dvcmQ6", f"334 {HIDDEN}"),
    (f">>> {b64(PASSWORD)}", f">>> {HIDDEN}"),
    ("535 Authentication Failed", None),
    (">>> QUIT", None),
    ("221 bye", None),
]
FOLDED = [
    (">>> AUTH PLAIN", None),
    ("334 ", f"334 {HIDDEN}"),
    (f">>> {b64(PASSWORD)[:8]}", f">>> {HIDDEN}"),
    (f"    {b64(PASSWORD)[8:]}", f"    {HIDDEN}"),
    ("235 ok", None),
    ("root... Sent", None),
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("verb", ["AUTH", "auth", "Auth"])
@pytest.mark.parametrize("pairs", [PLAIN, LOGIN, FOLDED], ids=["plain", "login", "folded"])
def test_a_dialogue_loses_its_credentials_and_nothing_else(pairs, verb, end):
    """Base64 responses and challenges go; every other line stays as it was."""
    said = [line.replace("AUTH", verb) for line, _ in pairs]
    shown = [(line if hidden is None else hidden).replace("AUTH", verb) for line, hidden in pairs]
    assert scrub(end.join(said) + end) == end.join(shown) + end


@pytest.mark.parametrize(
    "line",
    [
        f"send: 'AUTH PLAIN {b64(PASSWORD)}\\r\\n'",
        f"01234 >>> AUTH PLAIN {b64(PASSWORD)}",
        f"250 AUTH PLAIN\\r\\nAUTH PLAIN {b64(PASSWORD)}\\r\\n",
        f"['250 ok', '>>> AUTH LOGIN', '334 x', '>>> {b64(PASSWORD)}']",
        f"050 >>> AUTH LOGIN {b64(PASSWORD)}",
        f"NOQUEUE: AUTH scram-sha-256 {b64(PASSWORD)}",
    ],
)
def test_other_ways_to_write_a_dialogue(line):
    """Reprs, logs and collapsed transcripts are covered too."""
    assert b64(PASSWORD)[:12] not in scrub(line)


@pytest.mark.parametrize(
    "line",
    [
        "250-AUTH LOGIN PLAIN CRAM-MD5",
        ">>> MAIL From:<a@b> AUTH=c@d",
        "root... Deferred: Temporary AUTH failure",
        "AUTH=client, relay=localhost, mech=LOGIN, bits=0",
        "454 4.7.0 James has not authenticated us",
    ],
)
def test_innocent_lines_stay(line):
    """A capability, a parameter, a log line or an error text is no credential."""
    assert scrub(line + "\nnext line\n") == line + "\nnext line\n"


def test_a_connection_that_breaks_inside_auth_still_tells_why():
    """What sendmail says after a broken dialogue is not hidden with it."""
    text = f">>> AUTH PLAIN {b64(PASSWORD)}\nroot... Deferred: Connection reset by localhost\n"
    assert "Deferred: Connection reset" in scrub(text)


SECRETS = st.text(min_size=4, max_size=40).filter(
    lambda text: len(text.encode("utf-8", "replace")) > 5
)


@given(secret=SECRETS, before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_a_known_secret_goes_in_every_form(secret, before, after):
    """Raw, base64 at any alignment, URL, JSON, XML and repr forms are all found."""
    raw = secret.encode("utf-8", "surrogatepass")
    whole = base64.b64encode(before + raw + after).decode()
    forms = {
        secret,
        whole,
        base64.urlsafe_b64encode(before + raw + after).decode(),
        quote(raw),
        quote_plus(raw),
        json.dumps(secret)[1:-1]
        if secret.isprintable() and max(map(ord, secret)) < 0x10000
        else "",
        escape(secret),
        repr(secret)[1:-1],
    }
    for form in forms - {""}:
        hidden = scrub(f"x {form} y", [Secret(secret)])
        assert HIDDEN in hidden
        assert form == HIDDEN or form not in hidden


@given(secret=SECRETS, text=st.text(alphabet="abc def\n", max_size=60))
def test_a_text_without_the_secret_is_left_alone(secret, text):
    """The negative twin: nothing is hidden where nothing is secret."""
    if secret not in text:
        assert scrub(text, [Secret(secret)]) == text


@given(st.text())
def test_scrubbing_twice_is_scrubbing_once_and_lines_stay(text):
    """Any text at all: no error, the same number of lines, and a second pass finds nothing."""
    once = scrub(text)
    assert len(once.splitlines()) == len(text.splitlines())
    assert scrub(once) == once


@pytest.mark.parametrize(
    "form", ["a\\ud83d\\ude00bcd", "it''s one", "it'\"'\"'s one", "a\\U0001f600bcd"]
)
def test_pairs_yaml_and_shells_are_read(form):
    """A secret in JSON's pairs, in YAML's single quotes or in a shell's is the secret still."""
    secret = "it's one" if "one" in form else "a\U0001f600bcd"
    assert scrub(f"x {form} y", [Secret(secret)]) == f"x {HIDDEN} y"


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("abab", "xababab y", f"x{HIDDEN} y"),
        ("'&a", r"b\047&amp;\141", f"b{HIDDEN}"),
        ("aab", "aaab", f"a{HIDDEN}"),
        ("ab\\", r"ab\\c", f"{HIDDEN}c"),
        ("abcd", "abcdabcd", HIDDEN * 2),
    ],
)
def test_a_secret_goes_whole_and_what_is_around_it_stays(secret, text, shown):
    """Neither a spelled rest of it stays, nor goes more than what overlaps."""
    assert scrub(text, [Secret(secret)]) == shown


def test_of_two_secrets_the_one_inside_the_other_leaves_no_rest():
    """Secrets are found in the text as it was, not in what hiding others leaves."""
    secrets = [Secret("quelle"), Secret("die quelle dort"), Secret("hidden")]
    assert scrub("in die quelle dort, quelle", secrets) == f"in {HIDDEN}, {HIDDEN}"


@pytest.mark.parametrize(
    "form",
    [
        *(r"\xc3\xa4bcdef", r"\303\244bcdef", r"\xe4bcdef", r"\u00e4bcdef", r"\U000000e4bcdef"),
        *("%C3%a4bcdef", "&#228;bcdef", "&#x0e4;bcdef", r"äb\143def", "äb%63def", "äbcdef"),
    ],
)
def test_a_letter_beyond_ascii_is_read_however_it_is_written(form):
    """By its bytes or by its number."""
    assert scrub(f"x {form} y", [Secret("äbcdef")]) == f"x {HIDDEN} y"


def test_base64_goes_wherever_it_stands_in_a_long_text():
    """The second one as well, and nothing in between."""
    token, long = b64(f"00{PASSWORD}00"), "some words, " * 30
    shown = scrub(f"{long}{token} {long}{token}{long}", [Secret(PASSWORD)])
    assert shown.count(HIDDEN) == 2
    assert shown.count(long) == 3


def test_a_response_goes_even_where_the_servers_challenge_is_missing():
    """A transcript may hold one side only."""
    assert scrub(">>> AUTH LOGIN\n>>> d29yZA==\n") == f">>> AUTH LOGIN\n>>> {HIDDEN}\n"


class TestTree:
    """All that a state or a module returns is scrubbed, whatever holds it."""

    def tree(self, value):
        """Scrub a value of one known secret."""
        return scrub_all(value, [Secret(PASSWORD)])

    @pytest.mark.parametrize("value", [None, True, False, 0, 25, 1.5, "ok", b"\xff\0", [], {}, ()])
    def test_what_is_innocent_comes_back_equal_and_of_its_type(self, value):
        """The negative twin."""
        assert self.tree(value) == value
        assert type(self.tree(value)) is type(value)

    def test_texts_at_any_depth_are_scrubbed(self):
        """Mappings, lists and tuples keep their shape."""
        value = {"changes": {"/a": {"diff": f"+{PASSWORD}", "old": None}}, "said": [1, (PASSWORD,)]}
        assert self.tree(value) == {
            "changes": {"/a": {"diff": f"+{HIDDEN}", "old": None}},
            "said": [1, (HIDDEN,)],
        }

    def test_the_value_itself_is_not_touched(self):
        """Others may still need it."""
        value = {"a": [PASSWORD]}
        self.tree(value)
        assert value == {"a": [PASSWORD]}

    def test_keys_are_scrubbed_and_none_is_lost(self):
        """A secret may stand in a key, in two spellings even, or as all of it."""
        value = {f"/{PASSWORD}": 1, f"/{quote(PASSWORD)}": 2, 3: 4, ("a", PASSWORD): 5, None: 6}
        wanted = {f"/{HIDDEN}": 1, f"/{HIDDEN} 2": 2, 3: 4, ("a", HIDDEN): 5, None: 6}
        assert self.tree(value) == wanted

    def test_bytes_stay_bytes(self):
        """Also those that are no text."""
        assert self.tree(b"\xff" + PASSWORD.encode()) == b"\xff" + HIDDEN.encode()

    @pytest.mark.parametrize("odd", [ValueError(f"no {PASSWORD}"), Path(f"no {PASSWORD}")])
    def test_what_is_no_plain_value_becomes_its_text(self, odd):
        """An exception that reached a return shows no more than a text would."""
        assert self.tree({"comment": odd}) == {"comment": f"no {HIDDEN}"}
        assert self.tree({f"no {PASSWORD}"}) == [f"no {HIDDEN}"]

    def test_a_dialogue_may_be_a_list_of_lines(self):
        """What follows AUTH is a response, known secret or not, until the server's answer."""
        said = [line for line, _ in LOGIN]
        shown = [line if hidden is None else hidden for line, hidden in LOGIN]
        assert scrub_all({"talk": said, "then": "word"}) == {"talk": shown, "then": "word"}

    def test_a_list_is_no_way_into_another(self):
        """A broken dialogue hides nothing that stands elsewhere."""
        assert scrub_all([[">>> AUTH LOGIN"], ["word"]]) == [[">>> AUTH LOGIN"], ["word"]]

    @given(secret=SECRETS, depth=st.integers(0, 30))
    def test_no_depth_hides_a_secret(self, secret, depth):
        """As deep as returns go."""
        value = secret
        for level in range(depth):
            value = [{secret: value}, (value, level)][level % 2]
        shown = repr(scrub_all(value, [Secret(secret)]))
        assert HIDDEN in shown
        assert secret not in shown.replace(HIDDEN, "")
