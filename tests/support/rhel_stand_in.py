"""Lay out a disposable Debian host as RHEL 9's sendmail packages would: a stand-in, no RHEL.

Usage: python -m support.rhel_stand_in, in a disposable host, once. What is as there: the units,
/etc/mail with its make, the settings of the mc files, aliases, queues, owners, modes, and the links
from /usr/sbin/sendmail to the program's real name. What is not: the program and its m4 files are
Debian's, the package manager is a fake that Salt alone sees, and there is no SELinux. The facts are
those of the sources of Fedora's package, from which RHEL's comes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from pathlib import Path

from support import pristine

CF_DIR = Path("/usr/share/sendmail-cf")
MAIL = Path("/etc/mail")
UNITS = Path("/usr/lib/systemd/system")
PROGRAM = Path("/usr/sbin/sendmail.sendmail")
QUEUES = (Path("/var/spool/mqueue"), Path("/var/spool/clientmqueue"))
PACKAGES = {"sendmail": "8.16.1-11", "sendmail-cf": "8.16.1-11", "cyrus-sasl-plain": "2.1.27-21"}

# name of the link -> where it is, by way of /etc/alternatives
LINKS = {
    "mta": "/usr/sbin/sendmail",
    "mta-sendmail": "/usr/lib/sendmail",
    "mta-mailq": "/usr/bin/mailq",
    "mta-newaliases": "/usr/bin/newaliases",
}
DEBIANS = """
    /etc/mail /etc/cron.d/sendmail /etc/cron.daily/sendmail /etc/init.d/sendmail /etc/aliases
    /etc/aliases.db /var/spool/mqueue /var/spool/mqueue-client /usr/share/sendmail
    /etc/alternatives/sendmail /etc/alternatives/sendmail-mta /etc/alternatives/sendmail-msp
    /usr/sbin/sendmail-mta /usr/sbin/sendmail-msp
""".split()

SENDMAIL_SERVICE = """\
    [Unit]
    Description=Mail transport agent, laid out as on RHEL
    After=syslog.target network.target
    Conflicts=postfix.service exim.service
    Wants=sm-client.service
    StartLimitIntervalSec=0

    [Service]
    Type=forking
    PIDFile=/run/sendmail.pid
    Environment=SENDMAIL_OPTS=-q1h
    EnvironmentFile=-/etc/sysconfig/sendmail
    ExecStartPre=-/etc/mail/make
    ExecStartPre=-/etc/mail/make aliases
    ExecStart=/usr/sbin/sendmail -bd $SENDMAIL_OPTS $SENDMAIL_OPTARG
    ExecReload=/usr/bin/kill -HUP $MAINPID

    [Install]
    WantedBy=multi-user.target
    Also=sm-client.service
    """
CLIENT_SERVICE = """\
    [Unit]
    Description=Mail submission queue, laid out as on RHEL
    After=syslog.target network.target sendmail.service
    Conflicts=postfix.service exim.service
    BindsTo=sendmail.service
    StartLimitIntervalSec=0

    [Service]
    Type=forking
    PIDFile=/run/sm-client.pid
    Environment=SENDMAIL_OPTS=-q1h
    EnvironmentFile=-/etc/sysconfig/sendmail
    ExecStartPre=/bin/touch /run/sm-client.pid
    ExecStartPre=/bin/chown smmsp:smmsp /run/sm-client.pid
    ExecStartPre=-/sbin/restorecon /run/sm-client.pid
    ExecStartPre=-/etc/mail/make
    ExecStart=/usr/sbin/sendmail -L sm-msp-queue -Ac $SENDMAIL_OPTS $SENDMAIL_OPTARG

    [Install]
    WantedBy=multi-user.target
    """
# A cf whose mc is newer is moved to NAME.cf.bak and built; without the m4 files that is refused.
MAKE = """\
    #!/bin/bash
    cd /etc/mail || exit 1

    map() {
        [ -e "$1" ] || exit 2
        [ "$1" -nt "$1.db" ] || return 0
        makemap hash "$1.db" <"$1"
    }

    cf() {
        [ "$1.mc" -nt "$1.cf" ] || return 0
        if ! [ -f /usr/share/sendmail-cf/m4/cf.m4 ]; then
            echo "$1.mc is newer than $1.cf, and sendmail-cf is not installed"
            exit 15
        fi
        umask 022
        [ -e "$1.cf" ] && mv -f "$1.cf" "$1.cf.bak"
        m4 "$1.mc" >"$1.cf"
    }

    all() {
        for one in virtusertable access domaintable mailertable; do map $one; done
        cf sendmail
        cf submit
    }

    aliases() {
        if [ /etc/aliases -nt /etc/aliases.db ]; then newaliases >/dev/null; fi
    }

    case "${1:-all}" in
        all | aliases) "${1:-all}" ;;
        *.cf) cf "${1%.cf}" ;;
        *) exit 2 ;;
    esac
    """
MAKEFILE = """\
    all aliases sendmail.cf submit.cf:
    \t@/etc/mail/make $@
    .PHONY: all aliases sendmail.cf submit.cf
    """
# The settings of the package's mc that are switched on. confPID_FILE is what RHEL's program has
# built in; Debian's has another place.
SENDMAIL_MC = """\
    divert(-1)dnl
    include(`/usr/share/sendmail-cf/m4/cf.m4')dnl
    VERSIONID(`laid out as on RHEL')dnl
    OSTYPE(`linux')dnl
    define(`confPID_FILE', `/run/sendmail.pid')dnl
    define(`confDEF_USER_ID', ``8:12'')dnl
    define(`confTO_CONNECT', `1m')dnl
    define(`confTRY_NULL_MX_LIST', `True')dnl
    define(`confDONT_PROBE_INTERFACES', `True')dnl
    define(`PROCMAIL_MAILER_PATH', `/usr/bin/procmail')dnl
    define(`ALIAS_FILE', `/etc/aliases')dnl
    define(`STATUS_FILE', `/var/log/mail/statistics')dnl
    define(`UUCP_MAILER_MAX', `2000000')dnl
    define(`confUSERDB_SPEC', `/etc/mail/userdb.db')dnl
    define(`confPRIVACY_FLAGS', `authwarnings,novrfy,noexpn,restrictqrun')dnl
    define(`confAUTH_OPTIONS', `A')dnl
    define(`confAUTH_REALM', `mail')dnl
    define(`confCACERT_PATH', `/etc/pki/tls/certs')dnl
    define(`confCACERT', `/etc/pki/tls/certs/ca-bundle.crt')dnl
    define(`confSERVER_CERT', `/etc/pki/tls/certs/sendmail.pem')dnl
    define(`confSERVER_KEY', `/etc/pki/tls/private/sendmail.key')dnl
    define(`confTLS_SRV_OPTIONS', `V')dnl
    define(`confTO_IDENT', `0')dnl
    FEATURE(`no_default_msa', `dnl')dnl
    FEATURE(`smrsh', `/usr/sbin/smrsh')dnl
    FEATURE(`mailertable', `hash -o /etc/mail/mailertable.db')dnl
    FEATURE(`virtusertable', `hash -o /etc/mail/virtusertable.db')dnl
    FEATURE(redirect)dnl
    FEATURE(always_add_domain)dnl
    FEATURE(use_cw_file)dnl
    FEATURE(use_ct_file)dnl
    FEATURE(local_procmail, `', `procmail -t -Y -a $h -d $u')dnl
    FEATURE(`access_db', `hash -T<TMPF> -o /etc/mail/access.db')dnl
    FEATURE(`blacklist_recipients')dnl
    EXPOSED_USER(`root')dnl
    DAEMON_OPTIONS(`Port=smtp,Addr=127.0.0.1, Name=MTA')dnl
    FEATURE(`accept_unresolvable_domains')dnl
    LOCAL_DOMAIN(`localhost.localdomain')dnl
    MAILER(smtp)dnl
    MAILER(procmail)dnl
    """
SUBMIT_MC = """\
    divert(0)dnl
    sinclude(`/usr/share/sendmail-cf/m4/cf.m4')dnl
    VERSIONID(`laid out as on RHEL')dnl
    define(`confCF_VERSION', `Submit')dnl
    define(`__OSTYPE__',`')dnl
    define(`_USE_DECNET_SYNTAX_', `1')dnl
    define(`confTIME_ZONE', `USE_TZ')dnl
    define(`confDONT_INIT_GROUPS', `True')dnl
    define(`confPID_FILE', `/run/sm-client.pid')dnl
    FEATURE(`use_ct_file')dnl
    FEATURE(`msp', `[127.0.0.1]')dnl
    """
ACCESS = "Connect:localhost\tRELAY\nConnect:127.0.0.1\tRELAY\n"
# Some of those that the package setup has for root.
ROOTS = "bin daemon adm news operator nobody apache sshd"
ALIASES = "mailer-daemon:\tpostmaster\npostmaster:\troot\n" + "".join(
    f"{name}:\troot\n" for name in ROOTS.split()
)


def lay_out() -> None:
    """Turn this host, stock Debian until now, into the stand-in, and start its sendmail."""
    assert pristine.in_disposable_host()
    pristine.run("systemctl", "stop", "sendmail.service")
    pristine.run("update-rc.d", "-f", "sendmail", "remove")
    shutil.move("/usr/share/sendmail/cf", CF_DIR)
    take_debians_away()
    link_the_program()
    write_etc()
    make_queues()
    write_units()
    pristine.run("systemctl", "daemon-reload")
    pristine.run("systemctl", "enable", "--now", "sendmail.service")


def take_debians_away() -> None:
    """Remove what Debian's packages have put elsewhere than RHEL's do."""
    for path in map(Path, DEBIANS):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def link_the_program() -> None:
    """Give the program its name on RHEL, with the links that lead to it."""
    shutil.copy2("/usr/libexec/sendmail/sendmail", PROGRAM)
    shutil.chown(PROGRAM, "root", "smmsp")
    PROGRAM.chmod(0o2755)
    for name, place in LINKS.items():
        real = PROGRAM
        if name != "mta":
            real = Path(f"{place}.sendmail")
            real.symlink_to(PROGRAM)
        for link, target in ((Path("/etc/alternatives", name), real), (Path(place), None)):
            link.unlink(missing_ok=True)
            link.symlink_to(target or f"/etc/alternatives/{name}")


def write(path: Path | str, text: str, mode: int = 0o644) -> None:
    """Write a file of root's, without the text's common indent."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(textwrap.dedent(text))
    Path(path).chmod(mode)


def write_etc() -> None:
    """Write /etc/mail, the aliases, the certificates and sysconfig, as the packages leave them."""
    MAIL.mkdir(mode=0o755)
    write(MAIL / "sendmail.mc", SENDMAIL_MC)
    write(MAIL / "submit.mc", SUBMIT_MC)
    for name in ("sendmail", "submit"):
        write(MAIL / f"{name}.cf", pristine.run("m4", str(MAIL / f"{name}.mc")))
    write(MAIL / "make", MAKE, 0o755)
    write(MAIL / "Makefile", MAKEFILE)
    write(MAIL / "access", ACCESS)
    write(MAIL / "local-host-names", "# one name of this host a line\n")
    write(MAIL / "trusted-users", "# users who may set the sender\n")
    for name in ("domaintable", "mailertable", "virtusertable", "helpfile"):
        write(MAIL / name, "")
    write("/etc/aliases", ALIASES)
    write("/etc/sysconfig/sendmail", 'SENDMAIL_OPTS="-q1h"\n')
    write("/var/log/mail/statistics", "")
    for folder in ("certs", "private"):
        Path("/etc/pki/tls", folder).mkdir(parents=True)
    Path("/etc/pki/tls/certs/ca-bundle.crt").symlink_to("/etc/ssl/certs/ca-certificates.crt")
    pristine.run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-subj", "/CN=mail.example.test", "-keyout"),
        *("/etc/pki/tls/private/sendmail.key", "-out", "/etc/pki/tls/certs/sendmail.pem"),
    )
    Path("/etc/pki/tls/certs/sendmail.pem").chmod(0o600)


def make_queues() -> None:
    """Make the queue of sendmail and that of programs."""
    for queue, owner, group, mode in (
        (QUEUES[0], "root", "mail", 0o700),
        (QUEUES[1], "smmsp", "smmsp", 0o770),
    ):
        queue.mkdir()
        shutil.chown(queue, owner, group)
        queue.chmod(mode)


def write_units() -> None:
    """Write the units."""
    write(UNITS / "sendmail.service", SENDMAIL_SERVICE)
    write(UNITS / "sm-client.service", CLIENT_SERVICE)


def packages_module() -> str:
    """Give the text of a fake of Salt's module pkg, which says that RHEL's packages are there."""
    return textwrap.dedent(
        f'''\
        """Stand in for the package manager of a host that has none of that family."""

        __virtualname__ = "pkg"
        HERE = {PACKAGES!r}


        def __virtual__():
            return __virtualname__


        def list_pkgs(*_, purge_desired=False, **__):
            return {{}} if purge_desired else dict(HERE)


        def install(*_, **__):
            raise NotImplementedError("nothing can be installed here")


        remove = install


        def version(*names, **_):
            found = {{name: HERE.get(name, "") for name in names}}
            return found if len(names) > 1 else found[names[0]]
        '''
    )


if __name__ == "__main__":
    os.umask(0o022)
    try:
        lay_out()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error}\n{error.stdout}\n{error.stderr}") from error
