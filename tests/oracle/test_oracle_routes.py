"""Real sendmail's routes by the edited cf: no local mailer and no smart host leads past James."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from james_client.cf.localaddr import asking_mailers
from james_client.cf.text import Cf
from james_client.mta.reading import reading
from james_client.mta.routes import routes, why_not_james

from oracle.m4 import RELAY, Tree, Wishes, apply
from oracle.variants import LOCAL_MAILERS, MAILERS, SUBMISSIONS, variants

LOCAL = ["bob", "bob+tag", "nosuch", "bob@localhost", "bob+tag@localhost"]
REMOTE = ["someone@example.com", "someone@[192.0.2.7]"]
NO_HOST = "procmail as local mailer"  # it has its user from a host, and local names have none


class Asked:
    """Ask real sendmail what a cf does."""

    def __init__(self, folder: Path, binary: str) -> None:
        self.path, self.binary = folder / "test.cf", binary

    def lost(self, cf: bytes, addresses: Sequence[str]) -> dict[str, str]:
        """Give the addresses that do not reach James, with the reason."""
        self.path.write_bytes(cf)
        mailers = reading(self.path, binary=self.binary).mailers
        msp = Cf(cf).is_msp
        found = routes(self.path, addresses, binary=self.binary)
        why = {one.address: why_not_james(one, RELAY, mailers, msp=msp) for one in found}
        return {address: reason for address, reason in why.items() if reason}


@pytest.fixture
def asked(tmp_path: Path, sendmail: str) -> Asked:
    """Give real sendmail."""
    return Asked(tmp_path, sendmail)


@pytest.mark.parametrize("name", [name for name in LOCAL_MAILERS if name != NO_HOST])
def test_local_mail_passes_ruleset_5_whatever_the_local_mailer(
    name: str, tree: Tree, asked: Asked
) -> None:
    mc = variants(tree)[name]
    cf, source = apply(tree.build(mc), mc, Wishes())
    assert asked.lost(cf, [*LOCAL, *REMOTE]) == {}
    assert asked.lost(tree.build(source), [*LOCAL, *REMOTE]) == {}
    # without the flag all else of the edit is in vain
    without = Cf(cf)
    (local,) = asking_mailers(without)
    mailer = without.mailer(local)
    assert mailer is not None
    without.set_mailer_field(local, "F", mailer.flags.replace("5", ""))
    lost = asked.lost(without.render(), LOCAL)
    assert "without flag 5 ruleset 5 is not asked" in lost["bob"]


@pytest.mark.parametrize("late", [False, True], ids=["before", "behind"])
def test_names_that_are_meant_to_stay_local_stay(late: bool, tree: Tree, asked: Asked) -> None:
    before, behind = LOCAL_MAILERS["cyrusv2"]
    users = "LOCAL_USER(`root bob')dnl\n"
    lines = before.encode() + MAILERS + (behind or "").encode()
    lines = lines + users.encode() if late else users.encode() + lines
    mc = tree.debian("sendmail").replace(MAILERS, lines)
    cf, _ = apply(tree.build(mc), mc, Wishes())
    stays = "it stays on this host (mailer cyrusv2, [IPC])"
    assert asked.lost(cf, ["root", "bob", "nosuch"]) == {"root": stays, "bob": stays}


def test_names_kept_local_by_a_mailer_that_cannot_keep_them_are_not_called_delivered(
    tree: Tree, asked: Asked
) -> None:
    before, behind = LOCAL_MAILERS["pop as local mailer"]
    lines = b"LOCAL_USER(`root')dnl\n" + before.encode() + MAILERS + (behind or "").encode()
    mc = tree.debian("sendmail").replace(MAILERS, lines)
    cf, _ = apply(tree.build(mc), mc, Wishes())
    assert "it arrives as @root@localhost" in asked.lost(cf, ["root", "bob"])["root"]


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_all_mail_of_programs_passes_ruleset_5(name: str, tree: Tree, asked: Asked) -> None:
    mc = variants(tree)[name]
    stock = tree.build(mc)
    cf, source = apply(stock, mc, Wishes())
    assert asked.lost(cf, ["root", *LOCAL, *REMOTE]) == {}
    assert asked.lost(tree.build(source), ["root", *LOCAL, *REMOTE]) == {}


@pytest.mark.parametrize(
    "name",
    [
        "submission, smart host",
        "submission, smart host with mailer",
        "submission, smart host behind",
        "submission by smtp",
    ],
)
def test_without_the_edit_programs_mail_for_other_hosts_goes_past_james(
    name: str, tree: Tree, asked: Asked
) -> None:
    stock = tree.build(variants(tree)[name])
    assert asked.lost(stock, LOCAL) == {}
    assert "not to localhost" in asked.lost(stock, REMOTE)["someone@example.com"]
