"""Ask James, sending nothing, whether he takes each name in each form in which its mail arrives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from james_client.james.account import recipients
from james_client.james.recipients import Recipients
from james_client.run import port
from james_client.run.domains import arriving, unread
from james_client.run.names import Reasons, required
from james_client.run.plan import Plan

LIMIT = 2000  # questions, so that a host with very many users is not asked about for long
_SHOWN = 30  # names, of which a return tells each
CURE = (
    "let James have them: users or groups of his, account:aliases: carry, account:people; or "
    "name what may be lost in account:acknowledged (pillar sendmail_james)"
)


@dataclass(frozen=True)
class Reach:
    """Say which names James takes.

    asked
        how many addresses he was asked about
    dying
        in words, the names that he refuses: the forms, his answer to the first, why each counts
    notes
        in words, what that does not show
    deferred
        his words where he takes none of them now, and refuses none for good
    """

    asked: int
    dying: tuple[str, ...]
    notes: tuple[str, ...]
    deferred: str = ""

    @property
    def wrong(self) -> list[str]:
        """Return what is wrong, with the cure at its end."""
        return [*self.dying, CURE] if self.dying else []


def reach(plan: Plan, *, patient: bool = False, coming: Collection[str] = ()) -> Reach:
    """Ask James for each required name in each form, in one dialogue.

    patient
        wait for a James that is just starting
    coming
        addresses, in small letters, that he will know before the mail comes

    Raises JamesError where he can't be asked, which is also while sendmail still has his port.
    """
    names, domains = required(plan), arriving(plan)
    # Where not all can be asked about: what matters most in the forms that are most used.
    addresses = [f"{name}@{domain}" for name in names for domain in domains[:2]]
    addresses += [f"{name}@{domain}" for domain in domains[2:] for name in names]
    with port.asking(plan):
        answered = recipients(plan.settings, addresses[:LIMIT], patient=patient)
    for address in [one for one in answered.unknown if one.lower() in coming]:
        del answered.unknown[address]
    dying = [
        f"every name at {domain}: the domain is not James's own, he says {said!r} "
        f"(WebAdmin: PUT /domains/{domain})"
        for domain, said in answered.foreign.items()
    ]
    dying += _refused(names, answered)
    notes = [*_notes(answered, addresses), *unread(plan)]
    asked = min(len(addresses), LIMIT)
    return Reach(asked, tuple(dying), tuple(notes), _deferred(answered))


def required_in_words(plan: Plan) -> str:
    """Return the names that James will have to know, and in which forms."""
    forms = ", ".join(f"NAME@{domain}" for domain in arriving(plan))
    return f"James will have to know, each as {forms}: {', '.join(_some(tuple(required(plan))))}"


def _some(words: Sequence[str]) -> list[str]:
    """Return the first of many, and how many more there are."""
    more = [f"and {len(words) - _SHOWN} more"] if len(words) > _SHOWN else []
    return [*words[:_SHOWN], *more]


def _refused(names: Reasons, answered: Recipients) -> list[str]:
    """Say for the refused names of the same forms in which, and James's answer to the first."""
    forms: dict[str, list[str]] = {}
    for address in answered.unknown:
        forms.setdefault(address.rpartition("@")[0], []).append(address)
    alike: dict[tuple[str, ...], list[str]] = {}
    for name, found in forms.items():
        domains = tuple(address.rpartition("@")[2] for address in found)
        alike.setdefault(domains, []).append(name)
    said = []
    for domains, some in alike.items():
        first = answered.unknown[forms[some[0]][0]]
        shown = _some([f"{name} ({names[name]})" if names[name] else name for name in some])
        said.append(
            f"mail dies at {' and '.join(domains)}, where James says {first!r}: {', '.join(shown)}"
        )
    return said


def _deferred(answered: Recipients) -> str:
    told = answered.taken or answered.unknown or answered.foreign or answered.blind
    return "" if told else next(iter(answered.later.values()), "")


def _notes(answered: Recipients, addresses: list[str]) -> list[str]:
    notes = [
        f"James takes any name at {domain}, so whom he really knows there is not proved "
        "(smtpserver.xml: ValidRcptHandler is missing, or the domain is an alias of another)"
        for domain in answered.blind
    ]
    if answered.later:
        address, said = next(iter(answered.later.items()))
        notes.append(
            f"{len(answered.later)} addresses James takes later, perhaps: {said!r} to {address}"
        )
    if len(addresses) > LIMIT:
        notes.append(f"{len(addresses) - LIMIT} of {len(addresses)} addresses were not asked about")
    return notes
