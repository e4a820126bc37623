"""A jail beside the host's tree: where each entry of a session's / comes from."""

from svg import Picture

STEP, TOP, WIDE = 30, 92, 400
LEFT, RIGHT = 24, 576


def origin(entry):
    """Says where an entry of the jail comes from: shape, words, and the host's path if it shows one."""
    detail = entry["detail"].split()
    if entry["kind"] == "link":
        return "plain", f"link to {entry['detail']}", None
    if entry["kind"] == "mount" and detail[0] != "/":
        if entry["write"]:
            return "own", "her own, she can write", detail[0]
        return "host", "the host's, read-only", detail[0]
    if entry["kind"] == "mount" or entry["kind"] == "directory":
        return "made", "made for her" + (", she can write" if entry["write"] else ""), None
    raise ValueError(entry)


def draw(data, dark):
    jail = data["jail"]
    # Her home lies in what the mount of /home shows.
    for entry in jail:
        if entry["path"].startswith("/home/"):
            above = next(it for it in jail if it["path"] == "/home")
            entry.update(kind="mount", detail=above["detail"].split()[0] + entry["path"].removeprefix("/home") + " rw")
    jail = sorted((it for it in jail if it["path"] != "/home"), key=lambda it: it["path"])
    shown = {origin(it)[2]: number for number, it in enumerate(jail) if origin(it)[2]}
    # Links to /usr say nothing here; what has nothing below it that matters shares a row.
    host = [path for path in data["host"] if path not in ("/bin", "/lib", "/lib64", "/sbin")]
    plain = [path for path in host if path.count("/") == 1 and path not in ("/home", "/srv", *shown)]
    host = [path for path in host if path not in plain]
    height = TOP + STEP * max(len(host) + 2, len(jail)) + 70
    p = Picture(
        "What ann sees in her jail, beside the host's tree",
        "Her jail shows, at /: "
        + "; ".join(f"{it['path']}: {origin(it)[1]}" + (f", {origin(it)[2]} of the host" if origin(it)[2] else "") for it in jail)
        + ". Everything else of the host does not exist for her.",
        1000, height, dark,
    )  # fmt: skip
    p.text(LEFT, 36, "The host", "bold", 18)
    p.text(LEFT, 58, "grey: does not exist in her jail", "dim", 13)
    p.text(RIGHT, 36, "/ in ann's session", "bold", 18)
    p.text(RIGHT, 58, 'by base = "host" and one entry in mounts', "dim", 13)
    for number, path in enumerate(host):
        y = TOP + STEP * number
        depth = path.count("/") - 1
        x = LEFT + 26 * depth
        if depth:
            p.path(f"M{x - 12} {y - 4}V{y + 12}H{x - 4}")
        entry = jail[shown[path]] if path in shown else None
        p.box(x, y, WIDE - 26 * depth, STEP - 6, origin(entry)[0] if entry else "plain", 4)
        p.text(x + 10, y + 17, path, f"mono {'ink' if entry else 'dim'}", 12.5)
        if entry:
            to = TOP + STEP * shown[path] + 12
            p.path(f"M{LEFT + WIDE} {y + 12}C{LEFT + WIDE + 70} {y + 12} {RIGHT - 76} {to} {RIGHT - 6} {to}", arrow=True)
    y = TOP + STEP * len(host)
    p.box(LEFT, y, WIDE, 2 * STEP - 6, "plain", 4)
    half = len(plain) // 2
    p.lines(LEFT + 10, y + 20, [" ".join(plain[:half]), " ".join(plain[half:])], "mono dim", 12.5, 22)
    for number, entry in enumerate(jail):
        y = TOP + STEP * number
        shape, words, _ = origin(entry)
        p.box(RIGHT, y, WIDE, STEP - 6, shape, 4)
        p.text(RIGHT + 10, y + 17, entry["path"], "mono", 12.5)
        p.text(RIGHT + WIDE - 10, y + 17, words, "dim end", 12)
    y = height - 46
    for x, shape, words in [
        (LEFT, "host", "the host's, read-only"),
        (LEFT + 230, "own", "her own files, she can write"),
        (LEFT + 500, "made", "made for this session"),
        (LEFT + 730, "plain", "link, or not in the jail"),
    ]:
        p.box(x, y, 20, 20, shape, 4)
        p.text(x + 28, y + 15, words, "", 13)
    return p
