"""Variants of Debian's sendmail.mc and submit.mc that could trip up an editor of the cf."""

from __future__ import annotations

from oracle.m4 import Tree

# Lines before MAILER(`local') of Debian's sendmail.mc.
BEFORE = {
    "stickyhost": "FEATURE(`stickyhost')dnl",
    "mailertable": "FEATURE(`mailertable')dnl",
    "virtusertable": "FEATURE(`virtusertable')dnl",
    "virtual domains": "FEATURE(`virtusertable')dnl\nVIRTUSER_DOMAIN(`a.example')dnl\n"
    "FEATURE(`virtuser_entire_domain')dnl",
    "genericstable": "FEATURE(`genericstable')dnl\nGENERICS_DOMAIN(`a.example')dnl",
    "LDAP routing": "FEATURE(`ldap_routing')dnl\nLDAPROUTE_DOMAIN(`a.example')dnl",
    "LDAP routing, mailertable": "FEATURE(`ldap_routing')dnl\nFEATURE(`mailertable')dnl",
    "always_add_domain": "FEATURE(`always_add_domain')dnl",
    "nocanonify": "FEATURE(`nocanonify')dnl",
    "local_lmtp": "FEATURE(`local_lmtp')dnl",
    "local_procmail": "FEATURE(`local_procmail')dnl",
    "bcc": "FEATURE(`bcc')dnl",
    "masquerading": "MASQUERADE_AS(`example.com')dnl\nFEATURE(`masquerade_envelope')dnl\n"
    "FEATURE(`allmasquerade')dnl",
    "masquerading of headers alone": "MASQUERADE_AS(`example.com')dnl\nEXPOSED_USER(`root')dnl\n"
    "MASQUERADE_DOMAIN(`a.example')dnl\nMASQUERADE_EXCEPTION(`b.a.example')dnl",
    "limited masquerading": "MASQUERADE_AS(`example.com')dnl\nFEATURE(`limited_masquerade')dnl\n"
    "FEATURE(`masquerade_envelope')dnl",
    "limited masquerading of domains": "FEATURE(`limited_masquerade')dnl\n"
    "FEATURE(`masquerade_entire_domain')dnl\nMASQUERADE_DOMAIN(`a.example')dnl",
    "masquerading of an entire domain": "MASQUERADE_AS(`example.com')dnl\n"
    "FEATURE(`masquerade_entire_domain')dnl\nFEATURE(`limited_masquerade')dnl\n"
    "MASQUERADE_DOMAIN(`a.example')dnl\nFEATURE(`genericstable')dnl",
    "exposed users": "EXPOSED_USER(`root')dnl\nFEATURE(`local_no_masquerade')dnl",
    "timeouts of each kind": "define(`confTO_QUEUERETURN_NORMAL', `4d')dnl\n"
    "define(`confTO_QUEUERETURN_URGENT', `2d')dnl\n"
    "define(`confTO_QUEUERETURN_NONURGENT', `6d')dnl\ndefine(`confTO_QUEUERETURN_DSN', `1d')dnl\n"
    "define(`confTO_QUEUEWARN_NORMAL', `3h')dnl\ndefine(`confTO_QUEUEWARN_DSN', `0')dnl\n"
    "define(`confTO_QUEUEWARN_URGENT', `1h')dnl\ndefine(`confTO_QUEUEWARN_NONURGENT', `9h')dnl",
    "timeouts in one": "define(`confMESSAGE_TIMEOUT', `7d/6h')dnl",
    "timeout of the old name": "define(`confMESSAGE_TIMEOUT', `7d')dnl",
    "no timeouts": "undefine(`confTO_QUEUERETURN')dnl\nundefine(`confTO_QUEUEWARN')dnl",
    "timeouts in LOCAL_CONFIG": "LOCAL_CONFIG\nOT6d/5h\nO Timeout.queuereturn.urgent=1d\n"
    "O QueueTimeout=3d/2h\nOrqueuewarn=5h,queuereturn=8d\ndivert(0)dnl",
    "smart host": "define(`SMART_HOST', `smart.example.com')dnl",
    "smart host with mailer": "define(`SMART_HOST', `relay:smart.example.com')dnl",
    "mail hub": "define(`MAIL_HUB', `hub.example.com')dnl",
    "local relay": "define(`LOCAL_RELAY', `other.example.com')dnl",
    "all three relays": "define(`SMART_HOST', `a')dnl\ndefine(`MAIL_HUB', `b')dnl\n"
    "define(`LOCAL_RELAY', `c')dnl",
    "other nets' relays": "define(`UUCP_RELAY', `u.example')dnl\n"
    "define(`BITNET_RELAY', `u.example')dnl\ndefine(`DECNET_RELAY', `u.example')dnl\n"
    "define(`FAX_RELAY', `u.example')dnl",
    "local users": "LOCAL_USER(`root')dnl\nLOCAL_USER(`admin')dnl",
    "luser relay": "define(`LUSER_RELAY', `luser.example.com')dnl",
    "luser relay, host preserved": "define(`LUSER_RELAY', `luser.example.com')dnl\n"
    "FEATURE(`preserve_luser_host')dnl",
    "detail preserved": "FEATURE(`preserve_local_plus_detail')dnl",
    "luser relay, detail preserved": "define(`LUSER_RELAY', `luser.example.com')dnl\n"
    "FEATURE(`preserve_local_plus_detail')dnl",
    "luser relay and hub": "define(`LUSER_RELAY', `luser.example.com')dnl\n"
    "define(`MAIL_HUB', `hub.example.com')dnl",
    "other mechanisms": "define(`confAUTH_MECHANISMS', `EXTERNAL GSSAPI CRAM-MD5 LOGIN PLAIN')dnl",
    "AuthOptions A": "define(`confAUTH_OPTIONS', `A')dnl",
    "AuthOptions p,y": "define(`confAUTH_OPTIONS', `p,y')dnl",
    "AuthOptions A p": "define(`confAUTH_OPTIONS', `A p')dnl",
    "other DefaultAuthInfo": "define(`confDEF_AUTH_INFO', `/etc/mail/other')dnl",
    "fallbacks": "define(`confFALLBACK_MX', `fallback.example.com')dnl\n"
    "define(`confFALLBACK_SMARTHOST', `[192.0.2.1]')dnl",
    "empty fallbacks": "define(`confFALLBACK_MX', `')dnl\ndefine(`confFALLBACK_SMARTHOST')dnl",
    "trusted mechanisms": "TRUST_AUTH_MECH(`LOGIN PLAIN')dnl",
    "authinfo and access_db": "FEATURE(`authinfo')dnl",
    "flag k": "MODIFY_MAILER_FLAGS(`ESMTP', `+k')dnl",
    "flags k0": "MODIFY_MAILER_FLAGS(`ESMTP', `+k0')dnl",
    "flags 0k": "MODIFY_MAILER_FLAGS(`ESMTP', `+0k')dnl",
    "flags without X": "MODIFY_MAILER_FLAGS(`ESMTP', `-X')dnl",
    "own flags": "MODIFY_MAILER_FLAGS(`ESMTP', `mDFMua')dnl",
    "own flags, k first": "MODIFY_MAILER_FLAGS(`ESMTP', `kmDFMua')dnl",
    "flags twice": "define(`SMTP_MAILER_FLAGS', `mDe')dnl\n"
    "define(`_DEF_LOCAL_MAILER_FLAGS', `lsDFMA')dnl\n"
    "define(`LOCAL_MAILER_FLAGS', `lsDFMAw:/|@qPrmn9')dnl",
    "flags of all SMTP mailers": "define(`SMTP_MAILER_FLAGS', `e')dnl",
    "port of esmtp": "define(`ESMTP_MAILER_ARGS', `TCP $h 26')dnl",
    "port of relay": "define(`RELAY_MAILER_ARGS', `TCP $h 587')dnl",
    "port of smtp": "define(`SMTP_MAILER_ARGS', `TCP $h 27')dnl",
    "more mailer fields": "define(`SMTP_MAILER_CHARSET', `x')dnl\n"
    "define(`SMTP_MAILER_MAX', `100000')dnl",
    "service switch": "define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl",
    "no DNS": "HACK(`nodns')dnl",
    "Debian's AUTH": "HACK(`debian_auth')dnl",
    "milter": "INPUT_MAIL_FILTER(`x', `S=unix:/x')dnl",
    "dequote options": "define(`confDEQUOTE_OPTS', `-s')dnl",
    "LOCAL_CONFIG": "LOCAL_CONFIG\n# mine\nCwfoo.example\nD{Foo}bar\nO PrivacyOptions=noexpn\n"
    "divert(0)dnl",
    "options in LOCAL_CONFIG": "LOCAL_CONFIG\nO AuthMechanisms=GSSAPI\nO AuthOptions=p\n"
    "divert(0)dnl",
    "own tls_rcpt, before": "LOCAL_TLS_RCPT\nR$*\t$: $1\ndivert(0)dnl",
    "not UTF-8": "dnl caf\xe9 \xff\nLOCAL_CONFIG\n# caf\xe9\ndivert(0)dnl",
    "long lines": "LOCAL_CONFIG\n# " + "x" * 100_000 + "\nCw" + " a.example" * 3000 + "\n"
    "divert(0)dnl",
    "misleading words": "dnl MAILER(`smtp') `\ndefine(`foo', `it')dnl don't `worry\n"
    "# it isn't a `MAILER(smtp)'",
}
# Lines at the end of Debian's sendmail.mc.
AFTER = {
    "LOCAL_RULE_0": "LOCAL_RULE_0\nR$+ < @ foo.example . >\t$#local $: $1\n",
    "LOCAL_RULE_3": "LOCAL_RULE_3\nR$* < @ bar > $*\t$: $1 < @ bar.example > $2\n",
    "LOCAL_RULESETS": "LOCAL_RULESETS\nSLocal_check_mail\nR$*\t$@ OK\n",
    "LOCAL_NET_CONFIG": "LOCAL_NET_CONFIG\n"
    "R$* < @ $* .$m. > $*\t$#esmtp $@ $2.$m. $: $1 < @ $2.$m. > $3\n",
    "MAILER_DEFINITIONS": "MAILER_DEFINITIONS\nMmine,\tP=/bin/true, F=lsDFM, S=EnvFromL,\n"
    "\tA=true\n",
    "own tls_rcpt, behind": "LOCAL_TLS_RCPT\nR$*\t$: $1\n",
    "own trust_auth": "LOCAL_RULESETS\nSLocal_trust_auth\nR$*\t$@ OK\n",
    "UUCP": "MAILER(`uucp')dnl\n",
    "procmail": "MAILER(`procmail')dnl\n",
}
# Lines behind the mailers of Debian's sendmail.mc: m4 reads all this at the end.
LATE = {
    "late smart host": "define(`SMART_HOST', `late.example.com')dnl\n",
    "late relays": "define(`LOCAL_RELAY',\n`late.example.com')dnl\n"
    "define(`MAIL_HUB', `relay:late.example.com')dnl\nundefine(`SMART_HOST')dnl\n",
    "late relays without quotes": "define(SMART_HOST, late.example.com)\n"
    "define(MAIL_HUB, late.example.com)\ndefine(confAUTH_OPTIONS, p)\n",
    "late AUTH": "dnl define(`confAUTH_OPTIONS', `p')\n"
    "define(`confAUTH_MECHANISMS', `GSSAPI PLAIN CRAM-MD5')dnl\n"
    "TRUST_AUTH_MECH(`GSSAPI PLAIN')dnl\ndefine(`confAUTH_OPTIONS', `A p')dnl\n",
    "late AUTH, added to": "define(`confAUTH_MECHANISMS',dnl\n"
    "`EXTERNAL 'ifdef(`confAUTH_MECHANISMS', `defn(`confAUTH_MECHANISMS')', `PLAIN'))dnl\n",
    "late AUTH, in a site's macro": "define(`OURS', `define(`confAUTH_MECHANISMS', `$1')')dnl\n"
    "OURS(`SCRAM-SHA-1 PLAIN')dnl\n",
    "late AUTH, pushed": "pushdef(`confAUTH_MECHANISMS', `NTLM LOGIN')dnl\n",
    "late sasl.m4": "include(SASL)dnl\n",
    "late sasl.m4, if it is there": "dnl #\nsinclude(SASL)\n",
    "late fallbacks": "define(`confFALLBACK_MX', `late.example.com')dnl\n"
    "define(`confFALLBACK_SMARTHOST', `late.example.com')dnl\n",
    "late timeouts": "define(`confTO_QUEUERETURN', `1d')dnl\n"
    "define(`confTO_QUEUERETURN_DSN', `1d')dnl\ndefine(`confTO_QUEUEWARN', `1h')dnl\n",
    "late timeouts in one": "define(`confMESSAGE_TIMEOUT', `7d/6h')dnl\n",
    "late masquerading": "MASQUERADE_AS(`late.example.com')dnl\n"
    "MASQUERADE_DOMAIN(`a.example')dnl\n",
    "late masquerading, behind rules": "LOCAL_RULE_0\nR$+ < @ foo.example . >\t$#local $: $1\n"
    "define(`MASQUERADE_NAME', `late.example.com')dnl\n",
    "late service switch": "define(`confSERVICE_SWITCH_FILE', `/etc/mail/late.switch')dnl\n",
    "late relays, behind a section": "LOCAL_CONFIG\nCwfoo.example\n"
    "define(`SMART_HOST', `late.example.com')dnl\nLOCAL_RULESETS\nSours\nR$*\t$@ OK\n"
    "define(`LOCAL_RELAY', `late.example.com')dnl\n",
    "late smart host, no final newline": "define(`SMART_HOST', `late.example.com')dnl",
    "late smart host, nor behind a rule": "define(`SMART_HOST', `late.example.com')dnl\n"
    "LOCAL_RULESETS\nSours\nR$*\t$@ OK",
    "late flags": "MODIFY_MAILER_FLAGS(`ESMTP', `mDFM')dnl\nMODIFY_MAILER_FLAGS(`LOCAL', `l')dnl\n"
    "define(`ESMTP_MAILER_ARGS', `TCP $h 26')dnl\n",
}
# Local mailers that sendmail asks ruleset 5 for or not, by flag 5: lines before and behind
# MAILER(`local') and MAILER(`smtp').
LOCAL_MAILERS = {
    "cyrusv2": (
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\n"
        "define(`CYRUSV2_MAILER_ARGS', `FILE /var/lib/imap/socket/lmtp')dnl\n",
        "MAILER(`cyrusv2')dnl\n",
    ),
    "cyrusv2, local itself left to m4": (
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\nMAILER(`cyrusv2')dnl\nMAILER(`smtp')dnl\n",
        None,
    ),
    "cyrusv2, named late": (
        "",
        "MAILER(cyrusv2)dnl\ndefine(confLOCAL_MAILER, cyrusv2)\n",
    ),
    "cyrusv2, plussed names": (
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\n"
        "FEATURE(`preserve_local_plus_detail')dnl\nFEATURE(`stickyhost')dnl\n",
        "MAILER(`cyrusv2')dnl\n",
    ),
    "cyrusv2, own flags": (
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\ndefine(`CYRUSV2_MAILER_FLAGS', `A@/:|mw')dnl\n"
        "MODIFY_MAILER_FLAGS(`CYRUSV2', `+e')dnl\n",
        "MAILER(`cyrusv2')dnl\n",
    ),
    "cyrusv2, all flags its own": (
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\n"
        "MODIFY_MAILER_FLAGS(`CYRUSV2', `lsDFMnqXzA')dnl\n",
        "MAILER(`cyrusv2')dnl\n",
    ),
    "cyrus": (
        "define(`confLOCAL_MAILER', `cyrus')dnl\ndefine(`CYRUS_MAILER_USER', `mail:mail')dnl\n",
        "MAILER(`cyrus')dnl\n",
    ),
    "cyrus, own flags": (
        "define(`confLOCAL_MAILER', `cyrus')dnl\ndefine(`CYRUS_MAILER_USER', `mail:mail')dnl\n"
        "define(`CYRUS_MAILER_FLAGS', `Ah@/:|')dnl\n",
        "MAILER(`cyrus')dnl\n",
    ),
    "procmail as local mailer": (
        "define(`confLOCAL_MAILER', `procmail')dnl\n",
        "MAILER(`procmail')dnl\n",
    ),
    "pop as local mailer": ("define(`confLOCAL_MAILER', `pop')dnl\n", "MAILER(`pop')dnl\n"),
    "local without 5": ("MODIFY_MAILER_FLAGS(`LOCAL', `-5')dnl\n", ""),
    "local, all flags its own": ("MODIFY_MAILER_FLAGS(`LOCAL', `lsDFMAw:/|@qSn9')dnl\n", ""),
    "local_lmtp without 5": (
        "define(`_DEF_LOCAL_MAILER_FLAGS', `lsDFMAw:/|@q')dnl\n"
        "FEATURE(`local_lmtp', `/usr/lib/dovecot/lmtp')dnl\n",
        "",
    ),
    "a mailer of the site's own": (
        "define(`confLOCAL_MAILER', `ours')dnl\n",
        "MAILER_DEFINITIONS\nMours,\tP=/bin/true, F=lsDFMn5,\n\tS=EnvFromL, A=true $u\n",
    ),
    "mailers one by one": (
        "define(`confLOCAL_MAILER', `cyrusv2')dnl\nMAILER(`smtp')dnl\n"
        "MODIFY_MAILER_FLAGS(`CYRUSV2', `-z')dnl\nMAILER(`cyrusv2')dnl\nMAILER(`local')dnl\n",
        None,
    ),
}
# Lines before and behind FEATURE(`msp', …) of Debian's submit.mc.
SUBMISSIONS = {
    "submission, smart host": ("define(`SMART_HOST', `smart.example.com')dnl\n", ""),
    "submission, smart host with mailer": (
        "define(`SMART_HOST',\n`relay:[192.0.2.1]')dnl the old one\n",
        "",
    ),
    "submission, smart host behind": ("", "define(`SMART_HOST', `smart.example.com')dnl\n"),
    "submission, smart host by esmtp": ("define(`SMART_HOST', `esmtp:smart.example.com')\n", ""),
    "submission, all relays": (
        "define(`SMART_HOST', `a.example')dnl\ndefine(`MAIL_HUB', `b.example')dnl\n"
        "define(`LOCAL_RELAY', `c.example')dnl\n",
        "",
    ),
    "submission, empty smart host": ("define(`SMART_HOST', `')dnl\n", ""),
    "submission, late AUTH": (
        "",
        "define(`confAUTH_MECHANISMS', `GSSAPI PLAIN')dnl\n"
        "define(`confDELIVERY_MODE', `background')dnl\ninclude(SASL)dnl\n",
    ),
    "submission, all flags its own": (
        "define(`SMART_HOST', `smart.example.com')dnl\n"
        "MODIFY_MAILER_FLAGS(`ESMTP', `mDFMuXak')dnl\n"
        "MODIFY_MAILER_FLAGS(`LOCAL', `lmDFMuXkw')dnl\n",
        "",
    ),
    "submission by smtp": (
        "define(`confSMTP_MAILER', `smtp')dnl\nMODIFY_MAILER_FLAGS(`SMTP', `mDFMuX')dnl\n",
        "",
    ),
    "submission, flags of all SMTP mailers": (
        "define(`_DEF_SMTP_MAILER_FLAGS', `LmDFMuX')dnl\ndefine(`SMTP_MAILER_FLAGS', `67E')dnl\n"
        "define(`SMART_HOST', `smart.example.com')dnl\n",
        "",
    ),
    "submission, late masquerading": ("", "MASQUERADE_AS(`late.example.com')dnl\n"),
}
NULLCLIENT = """divert(0)dnl
include(`../m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`LUSER_RELAY', `luser.example.com')dnl
FEATURE(`nullclient', `hub.example.com')dnl
"""
MAILERS = b"MAILER_DEFINITIONS\nMAILER(`local')dnl\nMAILER(`smtp')dnl\n"
ACCESS = b"FEATURE(`access_db', , `skip')dnl"
MSP = b"FEATURE(`msp', `[127.0.0.1]', `25')dnl"


def variants(tree: Tree) -> dict[str, bytes]:
    """Give the mc files, by what is special about each."""
    mta, msp = tree.debian("sendmail"), tree.debian("submit")
    assert MAILERS in mta and ACCESS in mta and MSP in msp
    found = {"Debian's sendmail.mc": mta, "Debian's submit.mc": msp}
    for name, text in BEFORE.items():
        found[name] = mta.replace(MAILERS, text.encode("latin-1") + b"\n" + MAILERS)
    for name, text in AFTER.items():
        found[name] = mta + text.encode()
    sasl = bytes(tree.folder.parent / "site" / "sasl.m4")
    for name, text in LATE.items():
        found[name] = mta + text.encode().replace(b"SASL", b"`%b'" % sasl)
    for name, (before, behind) in LOCAL_MAILERS.items():
        # None: all MAILER lines are among those before
        usual = b"" if behind is None else MAILERS + behind.encode()
        found[name] = mta.replace(MAILERS, before.encode() + usual)
    for name, (before, behind) in SUBMISSIONS.items():
        lines = before.encode() + MSP + b"\n" + behind.encode()
        found[name] = msp.replace(MSP + b"\n", lines.replace(b"SASL", b"`%b'" % sasl))
    found |= {
        "no access_db": mta.replace(ACCESS, b""),
        "authinfo alone": mta.replace(ACCESS, b"FEATURE(`authinfo', `hash /etc/mail/authinfo')dnl"),
        "two mailers in a line": mta.replace(MAILERS, b"MAILER(local) MAILER(smtp)\n"),
        "mailer in quotes": mta.replace(
            MAILERS, b"ifdef(`X', `\nMAILER(`procmail')\n')dnl\n" + MAILERS
        ),
        "CRLF": mta.replace(b"\n", b"\r\n"),
        "no final newline": mta.rstrip(b"\n"),
        "nullclient": NULLCLIENT.encode(),
        "submission to port 587": msp.replace(b"`25'", b"`MSA'"),
        "submission to localhost": msp.replace(MSP, b"FEATURE(`msp')dnl"),
        "submission by IPv6": msp.replace(b"[127.0.0.1]", b"[IPv6:0:0:0:0:0:0:0:1]"),
        "submission elsewhere": msp.replace(b"[127.0.0.1]", b"mta.example.com"),
        "submission, masqueraded": msp.replace(
            MSP, b"MASQUERADE_AS(`x.example')dnl\nFEATURE(`masquerade_envelope')dnl\n" + MSP
        ),
        "submission, headers masqueraded": msp.replace(
            MSP, b"MASQUERADE_AS(`x.example')dnl\nEXPOSED_USER(`root')dnl\n" + MSP
        ),
        "submission, impatient": msp.replace(
            MSP, b"define(`confTO_QUEUERETURN_DSN', `1d')dnl\n" + MSP
        ),
        "submission with a fallback": msp.replace(
            MSP, b"define(`confFALLBACK_SMARTHOST', `smart.example.com')dnl\n" + MSP
        ),
        "submission, LOCAL_CONFIG": msp + b"LOCAL_CONFIG\nCwfoo.example\n",
    }
    return found


#: These differ from what m4 builds in the order of two mailer flags, see docs/cf.md.
EQUAL_IN_EFFECT = {"flag 0": "MODIFY_MAILER_FLAGS(`ESMTP', `+0')dnl"}
NAMES = [
    "Debian's sendmail.mc",
    "Debian's submit.mc",
    *BEFORE,
    *AFTER,
    *LATE,
    *LOCAL_MAILERS,
    *SUBMISSIONS,
    "no access_db",
    "authinfo alone",
    "two mailers in a line",
    "mailer in quotes",
    "CRLF",
    "no final newline",
    "nullclient",
    "submission to port 587",
    "submission to localhost",
    "submission by IPv6",
    "submission elsewhere",
    "submission, masqueraded",
    "submission, headers masqueraded",
    "submission, impatient",
    "submission with a fallback",
    "submission, LOCAL_CONFIG",
]
