"""What James shall have for aliases, loops and dead ends found beforehand. Pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from james_client.james.graph import components
from james_client.james.mappings import (
    FORWARD,
    GROUP,
    LIMIT,
    Arranged,
    JamesMapping,
    Known,
    arrange,
    changes,
)

HOST = ("localhost", "mail.example.test")
DOMAINS = frozenset({"localhost", "mail.example.test", "other.test"})
USERS = frozenset({"alice", "bob", "root"})
PLAIN = Known(DOMAINS, USERS)
VIRTUAL = Known(DOMAINS, frozenset({"alice@localhost", "bob@mail.example.test", "root@localhost"}))


def at(found: Arranged, domain: str = "localhost") -> dict[str, tuple[str, list[str]]]:
    """Give what is wanted in one domain: name → kind and targets."""
    shown: dict[str, tuple[str, list[str]]] = {}
    for one in sorted(found.wanted):
        name, _, where = one.source.rpartition("@")
        if where == domain:
            shown.setdefault(name, (one.kind, []))[1].append(one.target)
            assert shown[name][0] == one.kind
    return shown


def test_a_user_gets_a_forward_and_any_other_name_a_group_in_each_domain() -> None:
    found = arrange({"root": ["ops@Example.org"], "list": ["alice", "X@y.org"]}, PLAIN, HOST)
    for domain in HOST:
        assert at(found, domain) == {
            "root": (FORWARD, ["ops@example.org"]),
            "list": (GROUP, ["X@y.org", f"alice@{domain}"]),
        }
    assert {one.source.partition("@")[2] for one in found.wanted} == set(HOST)
    assert (found.notes, found.missing) == ({}, ())


def test_a_copy_that_is_kept_is_a_forward_to_oneself() -> None:
    found = arrange(
        {"bob": ["bob", "x@y.org"], "alice": ["alice"], "ghost": ["ghost"]}, PLAIN, HOST
    )
    assert at(found) == {"bob": (FORWARD, ["bob@localhost", "x@y.org"])}
    assert list(found.notes) == ["ghost"]
    assert "no such user" in found.notes["ghost"][0]


def test_nested_names_stay_in_their_domain_and_need_a_living_end() -> None:
    aliases = {
        "a": ["b"],
        "b": ["c"],
        "c": ["alice"],
        "dead": ["nosuch"],
        "half": ["nosuch", "bob"],
    }
    found = arrange({**aliases, "to dead": ["dead"]}, PLAIN, HOST)
    assert at(found, HOST[1]) == {
        "a": (GROUP, ["b@mail.example.test"]),
        "b": (GROUP, ["c@mail.example.test"]),
        "c": (GROUP, ["alice@mail.example.test"]),
        "half": (GROUP, ["bob@mail.example.test"]),
    }
    assert set(found.notes) == {"dead", "half", "to dead"}
    assert found.notes["half"] == [
        "nosuch: James has neither a user nor a mapping of that name, mail to it would come back"
    ]


@pytest.mark.parametrize(
    ("aliases", "left"),
    [
        ({"a": ["b"], "b": ["a"]}, {}),
        ({"a": ["b", "x@y.org"], "b": ["a"]}, {"a": (GROUP, ["x@y.org"])}),
        ({"a": ["b"], "b": ["c"], "c": ["a", "bob"]}, {"c": (GROUP, ["bob@localhost"])}),
        ({"root": ["alice"], "alice": ["x@y.org", "root"]}, {"alice": (FORWARD, ["x@y.org"])}),
    ],
)
def test_a_loop_is_named_and_left_out(aliases: dict[str, list[str]], left: object) -> None:
    found = arrange(aliases, PLAIN, HOST)
    assert at(found) == left
    assert all("a loop of" in found.notes[name][0] for name in aliases)


def test_a_loop_over_what_james_has_is_found_as_well() -> None:
    there = frozenset({JamesMapping("x@localhost", GROUP, "a@localhost")})
    known = Known(DOMAINS, USERS, there)
    assert "a loop of a, x" in arrange({"a": ["x"]}, known, HOST[:1]).notes["a"][0]
    # What is there for aliases only may go, and so may the loop.
    assert "a loop" not in str(arrange({"a": ["x"]}, known, HOST[:1], made=there).notes)


def test_a_chain_is_as_long_as_james_follows() -> None:
    def chain(size: int) -> Arranged:
        names = [f"n{number}" for number in range(size)]
        ends = [*names[1:], "end@example.org"]
        return arrange(dict(zip(names, ([end] for end in ends), strict=True)), PLAIN, HOST[:1])

    assert len(chain(LIMIT).wanted) == LIMIT
    assert chain(LIMIT).notes == {}
    assert len(chain(LIMIT + 1).wanted) == LIMIT
    assert f"more than {LIMIT}" in chain(LIMIT + 1).notes["n0"][0]


def test_virtual_hosting_has_users_in_one_domain_each() -> None:
    aliases = {"root": ["bob"], "alice": ["alice", "x@y.org"], "ops": ["alice"]}
    found = arrange(aliases, VIRTUAL, HOST)
    assert at(found) == {
        "alice": (FORWARD, ["alice@localhost", "x@y.org"]),
        "ops": (GROUP, ["alice@localhost"]),
        "root": (FORWARD, ["bob@mail.example.test"]),
    }
    assert at(found, HOST[1]) == {
        "alice": (GROUP, ["alice@localhost", "x@y.org"]),
        "ops": (GROUP, ["alice@mail.example.test"]),
        "root": (GROUP, ["bob@mail.example.test"]),
    }
    assert found.notes == {}


def test_a_domain_that_james_lacks_is_named_and_one_that_he_leads_elsewhere_needs_nothing() -> None:
    led = JamesMapping("mail.example.test", "DomainAlias", "localhost")
    known = Known(DOMAINS, USERS, frozenset({led}))
    found = arrange({"root": ["nobody@mail.example.test", "bob@mail.example.test"]}, known, HOST)
    assert {one.source for one in found.wanted} == {"root@localhost"}
    assert {one.target for one in found.wanted} == {"bob@mail.example.test"}
    assert "nobody@mail" in found.notes["root"][0]
    lacking = Known(frozenset({"localhost"}), USERS)
    found = arrange({"root": ["bob@mail.example.test"]}, lacking, HOST)
    assert found.missing == ("mail.example.test",)
    assert at(found) == {"root": (FORWARD, ["bob@localhost"])}


@pytest.mark.parametrize("kind", ["Alias", "Address", "Regex", "Error"])
def test_what_james_has_of_another_kind_is_left_alone(kind: str) -> None:
    known = Known(DOMAINS, USERS, frozenset({JamesMapping("ops@localhost", kind, "bob@localhost")}))
    found = arrange({"ops": ["alice"], "to": ["ops"]}, known, HOST[:1])
    assert "ops" not in at(found)
    assert "left alone" in found.notes["ops"][0]
    assert ("to" in at(found)) is (kind != "Error")


def test_changes_show_all_that_james_has_for_an_address() -> None:
    foreign, old, new = (JamesMapping("a@localhost", GROUP, f"{x}@y.org") for x in "fon")
    known = Known(DOMAINS, USERS, frozenset({foreign, old}))
    assert changes(known, frozenset({new}), frozenset({old})) == {
        "a@localhost": {
            "old": ["group to f@y.org", "group to o@y.org"],
            "new": ["group to f@y.org", "group to n@y.org"],
        }
    }
    assert changes(known, frozenset(), frozenset({old, foreign}))["a@localhost"]["new"] is None


@pytest.mark.parametrize(
    "address",
    [
        *(
            "../x@y",
            "a/b@y",
            "a%2fb@y",
            "a b@y",
            '"a"@y',
            "a@b@c",
            "@y",
            "a@",
            "a",
            "",
            "é@y",
            "a\n@y",
        ),
        *("a@y\n", "a" * 70 + "@y", "a?b@y", "a#b@y", "a@y/z", "a@-y", "a;b@y", ".a@y"),
    ],
)
def test_a_hostile_address_is_never_ours(address: str) -> None:
    assert not JamesMapping(address, GROUP, "x@y.org").ours
    assert not JamesMapping("x@y.org", FORWARD, address).ours
    assert JamesMapping("x@y.org", FORWARD, "a.b+c=d&e'f*g^h~i-j_k@y.org").ours
    assert not JamesMapping("x@y.org", "Alias", "a@y.org").ours


NAMES = st.sampled_from("abcdefgh")
ALIASES = st.dictionaries(
    NAMES, st.lists(NAMES | st.sampled_from(["x@y.org", "alice"]), max_size=4)
)
FOREIGN = st.sets(
    st.builds(
        JamesMapping,
        NAMES.map("{}@localhost".format),
        st.just(GROUP),
        NAMES.map("{}@localhost".format),
    ),
    max_size=4,
)


@given(ALIASES, FOREIGN, st.sets(NAMES))
def test_nothing_wanted_is_in_a_loop_or_leads_nowhere(
    aliases: dict[str, list[str]], foreign: set[JamesMapping], users: set[str]
) -> None:
    known = Known(DOMAINS, USERS | users, frozenset(foreign))
    wanted = arrange(aliases, known, HOST).wanted
    both = wanted | foreign
    ways: dict[str, set[str]] = {}
    for one in both:
        ways.setdefault(one.source, set()).add(one.target)
    for one in wanted:
        reached, todo = set(), [one.target]
        while todo:
            for on in ways.get(todo.pop(), ()):
                if on not in reached:
                    reached.add(on)
                    todo.append(on)
        if one.target != one.source:
            assert one.source not in reached, "a loop"
        local, _, domain = one.target.partition("@")
        alive = domain == "y.org" or local in known.users or one.target in ways
        assert alive, "a dead end"
        assert (one.kind == FORWARD) is (one.source.partition("@")[0] in known.users)


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 9))))
def test_components_are_what_leads_to_each_other_and_ends_come_first(
    graph: dict[int, set[int]],
) -> None:
    ways = {str(node): [str(one) for one in sorted(some)] for node, some in graph.items()}
    found = list(components(ways, lambda node: ways.get(node, ())))

    def reach(start: str) -> set[str]:
        reached, todo = {start}, [start]
        while todo:
            fresh = set(ways.get(todo.pop(), ())) - reached
            reached |= fresh
            todo += fresh
        return reached

    place = {node: number for number, some in enumerate(found) for node in some}
    assert sum(map(len, found)) == len(place)
    for node in place:
        for other in reach(node):
            assert place[other] <= place[node]
            assert (place[other] == place[node]) is (node in reach(other))


def test_a_chain_of_any_length_needs_no_recursion() -> None:
    size = 20_000
    found = list(components(["0"], lambda node: [str(int(node) + 1)] if int(node) < size else []))
    assert len(found) == size + 1
