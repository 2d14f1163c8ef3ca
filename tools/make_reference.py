"""Make docs/reference.md, docs/troubleshooting.md and README.md's tables from the code itself.

Usage: make_reference.py [FOLDER]; the files are written below FOLDER, by default in place.

States and functions come from their docstrings; pillar keys from SECTIONS and LOOKUP_KEYS; what a
key may be from the words in which a wrong value is refused; defaults from defaults.yaml; meanings
from the comments of pillar.example; SLS files from their first comment.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "_utils"))

from james_client.verdict.causes import CAUSES  # noqa: E402
from james_client.wishes import read, settings  # noqa: E402
from james_client.wishes.lookup import PLATFORM_FACTS  # noqa: E402
from james_client.wishes.mistakes import SettingsError  # noqa: E402

FORMULA = TOP / "sendmail_james"
NAME = FORMULA.name
DEFAULTS = yaml.safe_load((FORMULA / "defaults.yaml").read_text())
KEYS = {name: tuple(checks) for name, (_, checks) in settings.SECTIONS.items()}
KEYS["lookup"] = tuple(PLATFORM_FACTS)
END_OF_DOCUMENT = "\n..."  # which YAML writes behind a lone word
Rows = list[tuple[str, ...]]


class Nonsense:
    """Stand for a value that no key takes."""


def main() -> None:
    into = Path(sys.argv[1]) if sys.argv[1:] else TOP
    for path, text in made().items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        (into / path).write_text(text)


def made() -> dict[str, str]:
    """Return the files by their paths from the top."""
    readme = (TOP / "README.md").read_text()
    for region, rows in (("SLS files", sls_rows()), ("functions", function_rows())):
        readme = with_region(readme, region, table(*rows))
    made_anew = {"docs/reference.md": reference(), "docs/troubleshooting.md": troubleshooting()}
    return {"README.md": readme, **made_anew}


def with_region(text: str, name: str, content: str) -> str:
    """Return a text with one of its marked regions made anew; ValueError where it has none."""
    mark, end = f"<!-- {name}, by make reference -->\n", f"<!-- end of {name} -->\n"
    before, found, rest = text.partition(mark)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"README.md: expected a region between {mark!r} and {end!r}")
    return f"{before}{mark}\n{content}\n{end}{after}"


def table(head: tuple[str, ...], rows: Rows) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def reference() -> str:
    """Return the whole of docs/reference.md."""
    pieces = [
        "# Reference\n",
        "Made by `make reference`; a test fails where it is stale. Instead change the docstring,\n"
        "comment or value that it comes from.\n",
        "## SLS files\n",
        table(*sls_rows()),
        f"## Pillar `{NAME}`\n",
        "A value that is something else is refused, in the words of the second column.\n",
        *sections(),
        "## States\n",
        *entries("_states", f"{NAME}."),
        "## Functions\n",
        *entries("_modules", f"salt-call {NAME}."),
    ]
    return "\n".join(pieces)


def troubleshooting() -> str:
    """Return the whole of docs/troubleshooting.md, from the table of causes."""
    printed: Rows = [
        (f"`{text}`", f"[{cause.name}](#{cause.name})")
        for cause in CAUSES
        for text in cause.symptoms
    ]
    pieces = [
        "# Troubleshooting\n",
        "`salt-call sendmail_james.status` says what is wrong, causes first, each with the\n"
        "command that cures it on that host; `salt-call sendmail_james.check` says it in a line,\n"
        "with an exit code. This paper is for whoever has only a line that was printed. Made by\n"
        "`make reference` from the table of causes (`_utils/james_client/verdict`).\n",
        "## What sendmail, James, Salt or cron printed\n",
        table(("printed", "cause"), sorted(printed, key=lambda row: row[0].lower())),
        "## The causes\n",
        "In the order in which one can bring about another. CRITICAL: mail is lost or stands\n"
        "still, or the password is exposed. WARNING: that may come, or somebody has to look.\n",
    ]
    for cause in CAUSES:
        pieces += [f"### {cause.name}\n", f"{cause.level.name}. {cause.means}\n"]
        if cause.symptoms:
            pieces.append("".join(f"- printed: `{text}`\n" for text in cause.symptoms))
        pieces.append(f"{cause.remedy}\n")
    return "\n".join(pieces)


def sls_rows() -> tuple[tuple[str, ...], Rows]:
    """Return head and rows of the table of SLS files, in the order of init.sls."""
    found = {}
    for path in sorted(FORMULA.rglob("*.sls")):
        stem = path.relative_to(FORMULA).with_suffix("").as_posix().replace("/", ".")
        found["" if stem == "init" else stem] = comment_at_head(path.read_text())
    includes = yaml.safe_load((FORMULA / "init.sls").read_text())["include"]
    order = ["", *(name.removeprefix(f"{NAME}.") for name in includes)]
    names = [*order, *(name for name in found if name not in order)]
    rows: Rows = [(f"`{NAME}{'.' if name else ''}{name}`", found[name]) for name in names]
    return ("SLS", "what it does"), rows


def comment_at_head(text: str) -> str:
    """Return the comment that a file begins with, as one line."""
    head = re.match(r"(?:#.*\n)*", text)
    assert head
    return " ".join(line.removeprefix("#").strip() for line in head[0].splitlines())


def sections() -> Iterator[str]:
    """Give heading, comment and table of each pillar section."""
    meanings = comments((TOP / "pillar.example").read_text())
    for section, keys in KEYS.items():
        yield f"### `{section}`\n"
        if said := meanings.get((section,)):
            yield f"{said[0].upper()}{said[1:]}.\n"
        if section == "lookup":
            facts: Rows = [
                (f"`{key}`", wanted(section, key), default(section, key, "the platform's"))
                for key in keys
            ]
            yield table(("key", "what it may be", "default"), facts)
            continue
        rows: Rows = [
            (
                f"`{key}`",
                wanted(section, key),
                default(section, key),
                meanings.get((section, key), ""),
            )
            for key in keys
        ]
        yield table(("key", "what it may be", "default", "meaning"), rows)


def comments(example: str) -> dict[tuple[str, ...], str]:
    """Return the comments of pillar.example by section, and by section and key.

    A comment stands behind a key; lines that hold nothing but a comment go on with it.
    """
    found: dict[tuple[str, ...], str] = {}
    path: tuple[str, ...] = ()
    for line in example.splitlines():
        if key := re.match(r"(  |    )(\w+):(?:.*?\s#\s+(.*))?", line):
            indent, name, said = key.groups()
            path = (name,) if len(indent) == 2 else (path[0], name)
            if said:
                found[path] = said
        elif (more := re.match(r"\s+#\s+(.*)", line)) and path in found:
            found[path] += f" {more[1]}"
    return found


def mistakes(section: str, key: str, value: Any) -> list[str]:
    """Return what is said of one key of a pillar that gives it a value."""
    path = f"{settings.ROOT}:{section}:{key}: "
    try:
        read.load({section: {key: value}}, DEFAULTS)
    except SettingsError as err:
        return [line.removeprefix(path) for line in err.mistakes if line.startswith(path)]
    return []


def wanted(section: str, key: str) -> str:
    """Return what a key may be, in the words in which nonsense is refused."""
    (said,) = mistakes(section, key, Nonsense())
    words = said.removeprefix("expected ").partition(", got ")[0]
    nullable = section != "lookup" and not mistakes(section, key, None)
    return f"{words}, or null" if nullable else words


def default(section: str, key: str, otherwise: str = "required") -> str:
    """Return a key's default as YAML, or what holds where there is none."""
    known = DEFAULTS[section]
    if key not in known:
        return otherwise
    if known[key] is None:
        return "none"
    text = yaml.safe_dump(known[key], default_flow_style=True, width=1000)
    return f"`{text.partition(END_OF_DOCUMENT)[0].strip()}`"


def functions(folder: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give the public functions of states or module, by the names that Salt gives them."""
    tree = ast.parse((TOP / folder / f"{NAME}.py").read_text())
    aliases: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__func_alias__":
            aliases = ast.literal_eval(node.value)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield aliases.get(node.name, node.name), node


def docstring(function: ast.FunctionDef) -> str:
    """Return a docstring with Markdown's code marks."""
    return (ast.get_docstring(function) or "").replace("``", "`")


def function_rows() -> tuple[tuple[str, ...], Rows]:
    """Return head and rows of the table of functions."""
    rows: Rows = [
        (f"`salt-call {NAME}.{name}`", " ".join(docstring(function).partition("\n\n")[0].split()))
        for name, function in functions("_modules")
    ]
    return ("function", "what it does"), rows


def entries(folder: str, prefix: str) -> Iterator[str]:
    """Give heading, docstring and example of each public function."""
    for name, function in functions(folder):
        yield f"### `{prefix}{name}({signature(function)})`\n"
        yield markdown(docstring(function))


def signature(function: ast.FunctionDef) -> str:
    """Return a function's parameters without their types."""
    bare = ast.parse(f"def f({ast.unparse(function.args)}): ...").body[0]
    assert isinstance(bare, ast.FunctionDef)
    for argument in ast.walk(bare.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(bare.args)


def markdown(text: str) -> str:
    """Return a docstring as Markdown: parameters as a list, the example in a fence."""
    text, _, example = text.partition(".. code-block:: ")
    parameter = re.compile(r"^(\w+)\n((?:    .*\n?)+)", re.MULTILINE)
    listed = parameter.sub(lambda one: f"- `{one[1]}`: {' '.join(one[2].split())}\n", text)
    language, _, code = example.partition("\n")
    fence = f"```{language}\n{inspect.cleandoc(code)}\n```\n" if example else ""
    return f"{listed.rstrip()}\n\n{fence}"


if __name__ == "__main__":
    main()
