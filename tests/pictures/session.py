"""A terminal, with what was typed and what came."""

import re

from svg import Picture

SIZE, STEP, LEFT, TOP = 12.5, 17.5, 20, 58
INKS = {"31": "red", "32": "green", "33": "amber", "34": "blue", "36": "blue", "2": "dim", "1": "bold"}


def pieces(line):
    """Splits a line where its colours change: pairs of text and looks."""
    looks = set()
    for part in re.split(r"(\x1b\[[0-9;]*[A-Za-z])", line):
        if not part.startswith("\x1b["):
            if part:
                yield part, " ".join(sorted(looks))
        elif part.endswith("m"):
            for code in part[2:-1].split(";"):
                looks = looks | {INKS[code.lstrip("0")]} if code.lstrip("0") in INKS else set()


def wrapped(line, columns):
    """Cuts a line into rows, as a terminal of that width does."""
    rows, row, used = [], [], 0
    for text, looks in pieces(line):
        while text:
            part, text = text[: columns - used], text[columns - used :]
            row.append((used, part, looks))
            used += len(part)
            if used == columns and text:
                rows.append(row)
                row, used = [], 0
    return [*rows, row]


def draw(data, dark):
    rows = []
    for step in data["steps"]:
        prompt = step["prompt"]
        rows.append([(0, prompt, "dim bold"), (len(prompt), step["typed"], "bold")])
        for line in step["lines"]:
            rows += wrapped(line, data["columns"])
    p = Picture(
        "From an account to a jailed login, in a terminal",
        "Root types: " + "; ".join(it["typed"] for it in data["steps"] if it["prompt"] == "# ")
        + ". Then ann types in her session: "
        + "; ".join(it["typed"] for it in data["steps"] if it["prompt"] != "# ")
        + ".",
        round(LEFT * 2 + data["columns"] * SIZE * 0.603), round(TOP + len(rows) * STEP + 8), dark,
    )  # fmt: skip
    p.path(f"M1 36H{p.width - 1}")
    for x, shape in [(22, "bad"), (42, "made"), (62, "own")]:
        p.box(x - 6, 12, 12, 12, shape, 6)
    for number, row in enumerate(rows):
        for column, text, looks in row:
            column += len(text) - len(text.lstrip())
            if text.strip():
                p.text(LEFT + column * SIZE * 0.602, TOP + number * STEP, text.strip(), f"mono {looks}", SIZE)
    return p
