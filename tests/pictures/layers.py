"""The layers of the source: the crates by what they depend on, and the parts of three of them by what they may import.

Both are read: the crates from the manifests, the parts from the test that holds the files to them.
"""

import re
import tomllib
from pathlib import Path

from svg import Picture

TOP = Path(__file__).resolve().parents[2]

CRATES = {
    "config": ["text to policy to decision,", "pure: no input, no output"],
    "jail": ["the core: who logs in,", "what is decided, entering"],
    "jail-shell": ["doors login-shell", "and force-command"],
    "pam-module": ["pam_jail.so:", "door pam"],
    "roots": ["makes and keeps", "root directories"],
    "jailctl": ["root's tool: writes rules,", "explains, checks"],
}
PARTS = {
    "lib": "what doors and jailctl may use",
    "serve": "from a plan to the user's program",
    "log": "what is logged, and where it goes",
    "door": "from a decision to a plan or a refusal",
    "session": "supervisor and init around a session",
    "world": "what a session sees: view, mounts, /etc",
    "process": "ids, capabilities, Landlock, seccomp, limits",
    "plan": "what a login will do, as a value",
    "account": "who logs in, asked before the root changes",
    "trust": "paths that only root could change",
    "untrusted": "what the trusted walk refuses, and the fix",
    "served": "file systems that a user serves",
    "own": "directories and files of root's own",
    "lock": "locks that end with their processes",
    "marked": "descriptors left open in a host program",
    "fault": "what can go wrong, error numbers",
    "code": "codes of refusals, exit statuses",
    "resolve": "the walk along one path",
    "channel": "sockets between own processes",
    "packed": "values for another process of our own",
    "sys": "system calls: the only unsafe code",
}


LOW = 25


def crates():
    """Gives the crates in rows: each depends on crates of rows behind its own only."""
    manifest = tomllib.loads((TOP / "Cargo.toml").read_text())["workspace"]
    places = {name: it["path"] for name, it in manifest["dependencies"].items() if "path" in it}
    needs = {}
    for crate in manifest["members"]:
        if crate != "tests":
            named = tomllib.loads((TOP / crate / "Cargo.toml").read_text()).get("dependencies", {})
            needs[crate] = {places[name] for name in named if name in places}

    def depth(crate):
        return 1 + max(map(depth, needs[crate]), default=-1)

    rows = [[c for c in needs if depth(c) == d] for d in range(max(map(depth, needs)), -1, -1)]
    return rows, needs


def layers_of(crate):
    """Gives the layers of a crate as the test has them: lists of files and folders below its src."""
    source = re.sub(r"//.*", "", (TOP / "tests/tests/documents/layers.rs").read_text())
    start = {"jail": "const PARTS:", "roots": "const ROOTS:", "jailctl": "const TOOL:"}[crate]
    listed = source.split(start)[1].split("= ", 1)[1].split(";\n", 1)[0]
    return [re.findall(r'"([^"]+)"', layer) for layer in re.findall(r"&\[([^\[\]]*)\]", listed)]


def draw(_, dark):
    layers = layers_of("jail")
    others = {crate: layers_of(crate) for crate in ("roots", "jailctl")}
    step, top = 38, 78
    height = top + step * sum(max(1, len(layer)) - 0.36 * (len(layer) - 1) for layer in layers) + 26
    p = Picture(
        "The layers of login-jail's source",
        "On the left the crates, each with arrows to those it depends on. On the right the parts of the core, jail/src, from top "
        "to bottom: " + "; ".join(", ".join(layer) for layer in layers) + ". A file imports from its own part and from parts "
        "below it, never from above. Below, in the same way, the parts of roots and of jailctl.",
        1000, round(height) + 76 + LOW * max(map(len, others.values())), dark,
    )  # fmt: skip
    p.text(24, 36, "Crates", "bold", 18)
    p.text(24, 58, "an arrow leads to what a crate depends on", "dim", 13)
    rows, needs = crates()
    gap = (height - top - 26 - 66) / (len(rows) - 1)
    place = {}
    for number, row in enumerate(rows):
        y = top + gap * number
        width = 150 if len(row) > 1 else 220
        space = (492 - width * len(row)) / max(1, len(row) - 1)
        for column, crate in enumerate(row):
            x = 24 + (column * (width + space) if len(row) > 1 else (492 - width) / 2)
            place[crate] = (x, y, width)
    for crate, below in needs.items():
        # What is reached by way of another crate needs no arrow of its own.
        for other in below - {far for near in below for far in needs[near]}:
            (x, y, width), (to, foot, wide) = place[crate], place[other]
            left = to + wide / 2 + (x + width / 2 - to - wide / 2) * 0.3
            p.path(f"M{x + width / 2:.0f} {y + 66:.0f}C{x + width / 2:.0f} {y + 96:.0f} {left:.0f} {foot - 40:.0f} {left:.0f} {foot - 5:.0f}", arrow=True)  # fmt: skip
    for crate, (x, y, width) in place.items():
        p.box(x, y, width, 66, "own" if crate == "jail" else "plain")
        p.text(x + 10, y + 21, f"{crate}/", "mono bold", 14)
        p.lines(x + 10, y + 39, CRATES[crate], "dim", 11.5, 16)

    p.text(560, 36, "The core, jail/src", "bold", 18)
    p.text(560, 58, "a file uses its own layer and those below it, none above", "dim", 13)
    y = top
    for layer in layers:
        rows = len(layer)
        tall = step * (rows - 0.36 * (rows - 1))
        p.box(560, y, 416, tall - 8, "bad" if layer == ["sys"] else "own", 4)
        for row, name in enumerate(layer):
            stem = name.removesuffix(".rs")
            foot = y + 20 + row * step * 0.64
            p.text(572, foot, name if name != stem else f"{name}/", "mono bold", 12.5)
            p.text(676, foot, PARTS[stem], "", 12)
        y += tall
    p.path(f"M546 {top + 4}V{y - 20}", arrow=True)

    for (crate, rows), x in zip(others.items(), (24, 560)):
        p.text(x, height + 36, f"{crate}/src", "bold", 18)
        y = height + 52
        for layer in rows:
            # A folder and the file that is its root are one.
            names = [name for name in layer if not (name.endswith(".rs") and name[:-3] in layer)]
            p.box(x, y, 416, LOW - 4, "plain", 3)
            names = ", ".join(name.removesuffix(".rs") if name.endswith(".rs") else f"{name}/" for name in names)
            p.text(x + 10, y + 15, names, "mono", 11)
            y += LOW
        p.path(f"M{x - 14} {height + 56:.0f}V{y - 8:.0f}", arrow=True)
    return p
