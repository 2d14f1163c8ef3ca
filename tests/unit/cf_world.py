"""A small sendmail.cf and submit.cf in the shape that m4 gives them, and settings."""

from __future__ import annotations

from dataclasses import dataclass

from james_client.cf import auth, loop, masquerade, relay, timeouts
from james_client.cf.text import Cf
from james_client.wishes.settings import Auth, Daemon, Loop, Relay
from oracle.m4 import AUTH, DAEMON, LOOP, RELAY

__all__ = ["AUTH", "CF", "DAEMON", "LOOP", "RELAY", "SUBMIT", "Wishes", "every_step"]

CF = rb"""# level 10 config file format
V10/Berkeley
Cwlocalhost
# "Smart" relay host (may be null)
DS




# dequoting map
Kdequote dequote
C{L}root
CL admin



# my name for error messages
#DnMAILER-DAEMON
DZ8.17.1
#   Options   #
O DeliveryMode=background
O HelpFile=/etc/mail/helpfile
#O ServiceSwitchFile=/etc/mail/service.switch
#O AuthMechanisms=EXTERNAL GSSAPI
#O DefaultAuthInfo=/etc/mail/default-auth-info
#O AuthOptions
O Timeout.queuereturn=5d
#O Timeout.queuereturn.normal=5d
O Timeout.queuewarn=4h
Sparse=0
SParse1
R$* < @ $* > $*		$: $>MailerToTriple < $S > $1 < @ $2 > $3	glue on smarthost name
R$* < @$* > $*		$#esmtp $@ $2 $: $1 < @ $2 > $3	user@host.domain
R$=L			$#local $: @ $1		special local names
R$+			$#local $: $1			regular local names
SLocal_localaddr
Slocaladdr=5
# prepend an empty "forward host" on the front
R$+			$: <> $1



R< > $+			$: < > < $1 <> $&h >		nope, restore +detail
R< > < $+ <> + $* >	$: < > < $1 + $2 >		check whether +detail
SMasqHdr=93
R$* < @ *LOCAL* >	$@ $1 < @ $j . >
SMasqEnv=94
R$* < @ *LOCAL* > $*	$: $1 < @ $j . > $2
Stls_rcpt
R$*			$@ OK
Sauthinfo
R$*			$@ no				no authinfo available
Mlocal,		P=/bin/mail, F=lsDFMAw5, A=mail -d $u
Mesmtp,		P=[IPC], F=mDFMuXa, S=EnvFromSMTP, E=\r\n, L=990,
		T=DNS/RFC822/SMTP,
		A=TCP $h
Mrelay,		P=[IPC], F=mDFMuXa8, S=EnvFromSMTP, E=\r\n, L=2040,
		T=DNS/RFC822/SMTP,
		A=TCP $h
"""
SUBMIT = (
    CF.replace(b"DeliveryMode=background", b"DeliveryMode=i\nO UseMSP=True")
    .replace(b"F=mDFMuXa,", b"F=mDFMuXak5,")
    .replace(b"F=mDFMuXa8", b"F=mDFMuXa8k")
    .replace(b"DZ8.17.1", b"D{MTAHost}[127.0.0.1]\nDZ8.17.1/Submit")
)


@dataclass(frozen=True)
class Wishes:
    """Hold what the three steps need."""

    relay: Relay = RELAY
    loop: Loop = LOOP
    auth: Auth | None = AUTH
    daemon: Daemon = DAEMON


def every_step(cf: Cf, wishes: Wishes) -> None:
    """Apply all steps to a cf."""
    timeouts.edit(cf, wishes.daemon)
    relay.edit(cf, wishes.relay)
    masquerade.edit(cf, wishes.relay)
    loop.edit(cf, wishes.relay, wishes.loop)
    auth.edit(cf, wishes.auth, wishes.relay)
