"""The wall matrix: how many of the same probes reach the outside, in a login of each peer."""

from svg import Picture

ROWS = {
    "root": "paths that lead out of the root",
    "descriptors": "a directory that an accomplice passes in",
    "signals": "signals to the user's processes outside",
    "priorities": "priorities and limits of these",
    "processes": "tracing these, reading their memory",
    "proc": "/proc of the host",
    "ipc": "System V IPC, queues, /dev/shm, terminals",
    "keys": "keyrings of the kernel",
    "sockets": "abstract sockets, TCP, netlink, odd kinds",
    "namespaces": "making or joining namespaces",
    "kernel": "mount, bpf, perf, modules, clocks and more",
    "entries": "32-bit and x32 calls into the kernel",
    "terminal": "typing into a terminal",
    "programs": "set-user-ID programs and devices in the root",
    "privileges": "capabilities and bits that are left over",
}
HEADS = {
    "login-jail, login-shell": ["login-jail", "login-shell"],
    "login-jail, pam": ["login-jail", "pam"],
    "ChrootDirectory": ["Chroot-", "Directory"],
    "pam_chroot": ["pam_", "chroot"],
    "bubblewrap": ["bubble-", "wrap"],
}
WIDE, LEFT, STEP, TOP = 74, 392, 30, 118


def upstream(version):
    """Gives the version without the parts that Debian adds."""
    return version.split(":")[-1].split("-")[0]


def draw(data, dark):
    columns = [column["name"] for column in data["columns"]]
    of = {threat: [one["said"] for one in data["probes"] if one["threat"] == threat] for threat in ROWS}
    assert set(ROWS) == {one["threat"] for one in data["probes"]}
    counts = {
        threat: [sum(said[column] == "reached" for said in probes) for column in range(len(columns))]
        for threat, probes in of.items()
    }
    total = [sum(counts[threat][column] for threat in ROWS) for column in range(len(columns))]
    bottom = TOP + STEP * (len(ROWS) + 1) + 14
    notes = [
        "How each was set up, on one machine with Linux " + data["kernel"] + " and one root directory (a static busybox; firejail: the host's files):",
        *(f"{it['name']}: {it['how']}" + (f" ({upstream(it['version'])})" if number else "") for number, it in enumerate(data["columns"])),
        "login-jail's own 4: stat, chmod and connect by a directory that an accomplice outside passes in, for which Landlock has no rule yet, and",
        "TCP to the host's ports, which network = \"none\" closes. Behind PAM the bounding set and the securebits are the host program's.",
        "In the row of /proc the chroots have 0 because their root has no /proc. The grey number of a row is how many probes reach something without",
        "a jail, or in a chroot where everything is wrong and root's rights are left. Others are left out: this kernel has nothing for them to reach.",
    ]  # fmt: skip
    p = Picture(
        "The same probes inside login-jail and its peers",
        f"Of {len(data['probes'])} probes that try to reach the outside of a jail, reached: "
        + "; ".join(f"{name} {number}" for name, number in zip(columns, total))
        + ".",
        1000, bottom + 24 + 17 * len(notes), dark,
    )  # fmt: skip
    p.text(24, 36, "What reaches the outside", "bold", 18)
    p.lines(24, 60, ["The same probe program, started by ssh in each.", "Numbers: probes that reached something; 0 is best."], "dim", 12.5)
    for column, name in enumerate(columns):
        x = LEFT + WIDE * column + WIDE / 2
        head = HEADS.get(name, [name])
        looks = "mid bold green" if name.startswith("login-jail") else "mid bold"
        p.lines(x, 104 - 15 * (len(head) - 1), head, looks, 11.5, 15)
    for row, (threat, words) in enumerate(ROWS.items()):
        y = TOP + STEP * row
        p.text(24, y + 18, words, "", 13)
        p.text(LEFT - 10, y + 18, f"{len(of[threat])}", "dim end", 12)
        for column, number in enumerate(counts[threat]):
            cell(p, column, y, number, len(of[threat]))
    y = TOP + STEP * len(ROWS) + 6
    p.text(24, y + 18, "all probes", "bold", 13)
    p.text(LEFT - 10, y + 18, str(len(data["probes"])), "dim end", 12)
    for column, number in enumerate(total):
        cell(p, column, y, number, len(data["probes"]), "bold")
    p.lines(24, bottom + 24, notes, "dim", 11.5, 17)
    return p


def cell(p, column, y, number, of, looks=""):
    shape, ink = ("own", "green") if number == 0 else ("made", "amber") if number * 4 <= of else ("bad", "red")
    p.box(LEFT + WIDE * column + 3, y, WIDE - 6, STEP - 5, shape, 4)
    p.text(LEFT + WIDE * column + WIDE / 2, y + 17, str(number), f"mid {ink} {looks}", 13)
