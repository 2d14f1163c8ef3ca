"""Files that sites might have, made at random, judged by m4 and sendmail.

A few seconds of it in `make test`; `make campaign-cf` takes it as far as CAMPAIGN says, in cases of
each kind, and lets a fuzzer that follows the coverage choose more, for FUZZ seconds of each kind.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, target
from hypothesis import strategies as st

from oracle import m4
from oracle.fuzz import counted, fuzz
from oracle.judges import Sendmail, judge_bytes, judge_configuration, judge_source
from oracle.m4 import WISHES, Tree, Wishes
from oracle.shapes import configurations, msp_sources, mta_sources, spliced

LONG = int(os.environ.get("CAMPAIGN", "0"))
FUZZ = int(os.environ.get("FUZZ", "0"))
FEW = settings(
    max_examples=LONG or 8,
    derandomize=not LONG,
    database=None,
    suppress_health_check=[*HealthCheck],
    phases=[Phase.generate, Phase.target, Phase.shrink],
)
EVERY_WISH = st.sampled_from(list(WISHES.values()))
FROM_A_CF = st.sampled_from([WISHES["default"], WISHES["no AUTH"]])


@pytest.fixture(scope="module")
def ends() -> Iterator[Counter[str]]:
    """Count how cases ended; of the long form it is printed."""
    counted: Counter[str] = Counter()
    yield counted
    if LONG:
        print("\n" + "\n".join(f"{number:6} {end}" for end, number in counted.most_common()))


@pytest.fixture(scope="module")
def judge(sendmail: str, tmp_path_factory: pytest.TempPathFactory) -> Sendmail:
    """Give sendmail as a judge."""
    return Sendmail(sendmail, tmp_path_factory.mktemp("judge"))


def run(
    strategy: st.SearchStrategy[bytes][bytes],
    wishes: st.SearchStrategy[bytes][Wishes],
    judged: Callable[[bytes, Wishes], str],
    ends: Counter[str],
    folder: Path,
) -> None:
    """Judge as many cases as CAMPAIGN says, then those that the fuzzer takes in FUZZ seconds."""
    told = folder / "ends"

    @FEW
    @given(strategy, wishes)
    def case(data: bytes, wish: Wishes) -> None:
        end = judged(data, wish)
        ends[end] += 1
        target(-float(ends[end]), label="rare ends")
        if FUZZ:
            with told.open("a") as stream:
                stream.write(end + "\n")

    case()
    if FUZZ:
        told.write_text("")
        assert fuzz(case.hypothesis.fuzz_one_input, FUZZ, folder) == 0, "see the case above"
        ends.update(counted(told))


@pytest.mark.parametrize(
    ("name", "sources"), [("sendmail", mta_sources), ("submit", msp_sources)], ids=["mta", "msp"]
)
def test_an_mc_of_a_site_s_own(
    name: str,
    sources: Callable[[bytes], st.SearchStrategy[bytes]],
    tree: Tree,
    judge: Sendmail,
    ends: Counter[str],
    tmp_path: Path,
) -> None:
    run(
        sources(tree.debian(name)),
        EVERY_WISH,
        lambda mc, wish: judge_source(mc, wish, tree, judge),
        ends,
        tmp_path,
    )
    assert ends["equal to m4's, all to James"]


def test_a_cf_that_no_m4_wrote(
    tree: Tree, judge: Sendmail, ends: Counter[str], tmp_path: Path
) -> None:
    run(
        configurations(tree.build(tree.debian("sendmail"))),
        FROM_A_CF,
        lambda data, wish: judge_configuration(data, wish, judge),
        ends,
        tmp_path,
    )
    assert ends["edited as sendmail sees it"]


@pytest.mark.parametrize("name", ["sendmail", "submit"])
@pytest.mark.parametrize("kind", ["cf", "mc"])
def test_bytes_that_stand_anywhere(
    kind: str, name: str, tree: Tree, ends: Counter[str], tmp_path: Path
) -> None:
    mc = tree.debian(name)
    cf = tree.build(mc)
    stock, other = (mc, cf) if kind == "mc" else (cf, mc)
    run(
        spliced(stock),
        EVERY_WISH,
        lambda data, wish: judge_bytes(data, wish, other, kind == "mc"),
        ends,
        tmp_path,
    )
    assert ends["edited, and taken out again"]


SPOILT = {
    "a flag lost": (b"F=mDFMuXak0", b"F=mDFMuXa0"),
    "another smart host": (b"DSesmtp:localhost", b"DSesmtp:elsewhere"),
    "an option twice": (b"O AuthOptions=A\n", b"O AuthOptions=A\nO AuthOptions=A\n"),
    "no cf any more": (b"\nSparse=0\n", b"\nS\n"),
}


def spoilt(spoil: tuple[bytes, bytes]) -> Callable[..., tuple[bytes, bytes]]:
    """Give an `apply` that spoils each cf that it gives back."""

    def apply(cf: bytes, mc: bytes, wishes: Wishes) -> tuple[bytes, bytes]:
        if spoil[1] in cf:
            return cf, mc
        edited, source = m4.apply(cf, mc, wishes)
        assert spoil[0] in edited
        return edited.replace(*spoil), source

    return apply


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_the_judges_find_a_wrong_edit(
    spoil: tuple[bytes, bytes], tree: Tree, judge: Sendmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    mc = tree.debian("sendmail")
    assert judge_source(mc, Wishes(), tree, judge) == "equal to m4's, all to James"
    monkeypatch.setattr("oracle.judges.apply", spoilt(spoil))
    with pytest.raises(AssertionError):
        judge_source(mc, Wishes(), tree, judge)
