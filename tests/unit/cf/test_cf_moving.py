"""What sendmail does as a server shows in the cf that m4 builds; a stock one does none of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cf_world import CF
from james_client.cf.moving import Feature, features
from james_client.cf.text import Cf
from oracle.m4 import Tree

TREE = Tree(Path("/usr/share/sendmail/cf"))
HEAD = b"include(`../m4/cf.m4')dnl\nOSTYPE(`bsd4.4')dnl\n"
LOCAL = b"DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1')dnl\nFEATURE(`no_default_msa')dnl\n"
TAIL = b"MAILER(`local')dnl\nMAILER(`smtp')dnl\n"
TOP = Path(__file__).parents[3]

ALL = {
    b"FEATURE(`mailertable')": Feature("mailertable", tables=("/etc/mail/mailertable",)),
    b"FEATURE(`virtusertable', `hash -o /etc/mail/v.db')": Feature(
        "virtusertable", tables=("/etc/mail/v",)
    ),
    b"FEATURE(`access_db', , `skip')": Feature("access_db", tables=("/etc/mail/access",)),
    b"FEATURE(`access_db', `LDAP')": Feature("access_db", "from ldap"),
    b"FEATURE(`genericstable')": Feature("genericstable", tables=("/etc/mail/genericstable",)),
    b"FEATURE(`domaintable')": Feature("domaintable", tables=("/etc/mail/domaintable",)),
    b"FEATURE(`authinfo')": Feature("authinfo", tables=("/etc/mail/authinfo",)),
    b"FEATURE(`bitdomain')": Feature("bitdomain", tables=("/etc/mail/bitdomain",)),
    b"FEATURE(`uucpdomain')": Feature("uucpdomain", tables=("/etc/mail/uudomain",)),
    b"FEATURE(`use_cw_file')": Feature("local-host-names", tables=("/etc/mail/local-host-names",)),
    b"RELAY_DOMAIN(`partner.example')": Feature("relay-domains", "partner.example"),
    b"FEATURE(`dnsbl', `bl.example')": Feature("DNS blocklists", "map dnsbl"),
    b"FEATURE(`enhdnsbl', `bl.example')": Feature("DNS blocklists", "map ednsbl"),
    b"FEATURE(`ldap_routing')": Feature("LDAP routing"),
    b"INPUT_MAIL_FILTER(`clamav', `S=local:/run/c.sock, F=')": Feature(
        "milter", "clamav at local:/run/c.sock"
    ),
    b"INPUT_MAIL_FILTER(`signer', `S=local:/run/opendkim.sock')": Feature(
        "DKIM", "signer at local:/run/opendkim.sock"
    ),
    b"define(`confSERVER_CERT', `/c.pem')define(`confSERVER_KEY', `/k.pem')": Feature(
        "STARTTLS certificate", "/c.pem"
    ),
    b"TRUST_AUTH_MECH(`PLAIN LOGIN')": Feature("logins of users", "PLAIN LOGIN"),
    b"define(`SMART_HOST', `smtp.isp.example')": Feature("smart host", "smtp.isp.example"),
    b"define(`SMART_HOST', `isp.example')define(`confDEF_AUTH_INFO', `/etc/mail/a')": Feature(
        "smart host", "isp.example with the login of /etc/mail/a"
    ),
    b"define(`LUSER_RELAY', `local:postmaster')": Feature("luser relay", "local:postmaster"),
    b"FEATURE(`local_procmail', `/usr/bin/procmail')": Feature(
        "delivery agent", "mailer local is procmail"
    ),
    b"FEATURE(`local_lmtp', `/usr/lib/dovecot/deliver')": Feature(
        "delivery agent", "mailer local is deliver"
    ),
    b"DAEMON_OPTIONS(`Name=MSA, Port=587, M=Ea')": Feature(
        "mail from other hosts", "port 587 of every address"
    ),
    b"DAEMON_OPTIONS(`Family=inet, Addr=192.0.2.1')": Feature(
        "mail from other hosts", "port smtp of 192.0.2.1"
    ),
}


def built(line: bytes = b"", mailers: bytes = b"") -> Cf:
    return Cf(TREE.build(HEAD + LOCAL + line + b"dnl\n" + TAIL + mailers))


def test_a_sendmail_for_this_host_alone_does_nothing_but_relay() -> None:
    assert features(built()) == [Feature("relay-domains", tables=("/etc/mail/relay-domains",))]


@pytest.mark.parametrize(("line", "feature"), ALL.items(), ids=lambda one: str(one)[:40])
def test_what_m4_builds_in_is_found(line: bytes, feature: Feature) -> None:
    assert feature in features(built(line))


@pytest.mark.parametrize("name", [b"procmail", b"cyrusv2", b"fax", b"uucp"])
def test_a_mailer_of_ones_own_is_named(name: bytes) -> None:
    (found,) = [
        one
        for one in features(built(mailers=b"MAILER(`" + name + b"')dnl\n"))
        if one.name == "mailers"
    ]
    assert name.decode() in found.said


def test_a_daemon_without_options_listens_everywhere() -> None:
    assert Feature("mail from other hosts", "port smtp of every address") in features(Cf(CF))


def test_rules_of_ones_own_are_checks() -> None:
    rule = b"LOCAL_RULESETS\nSLocal_check_mail\nR$* bad $*\t$#error $: no\n"
    assert Feature("checks of its own", "Local_check_mail") in features(built(mailers=rule))


def test_our_own_smart_host_is_none_that_moves() -> None:
    cf = built(b"define(`SMART_HOST', `esmtp:localhost')")
    assert not [one for one in features(cf, "esmtp:localhost") if one.name == "smart host"]
    assert [one for one in features(cf, "esmtp:other") if one.name == "smart host"]


def test_each_has_its_heading_in_the_paper() -> None:
    lines = (TOP / "docs/moving.md").read_text().splitlines()
    headings = {
        word.strip()
        for line in lines
        if line.startswith("## ")
        for word in line.removeprefix("## ").split(",")
    }
    names = {feature.name for feature in ALL.values()} | {"mailers", "checks of its own"}
    assert names - headings == set()
