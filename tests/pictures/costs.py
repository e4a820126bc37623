"""Bars: what a login, the start of a jail, and a root cost beside the peers."""

from svg import Picture

STEP, NAMES, LONGEST = 27, 286, 560


def bars(p, y, title, note, rows, words):
    """Draws a bar for each row (name, value, quartiles); one that is much longer than the others is cut off."""
    p.text(24, y, title, "bold", 16)
    p.text(24, y + 20, note, "dim", 12.5)
    values = sorted(value for _, value, _ in rows)
    cut = values[-1] if values[-1] <= 6 * values[-2] else 2 * values[-2]
    y += 34
    for name, value, quartiles in rows:
        ours = name.startswith("login-jail")
        length = max(2, min(value, cut) / cut * LONGEST)
        p.text(NAMES + 14, y + 15, name, "end bold green" if ours else "end", 12.5)
        p.box(NAMES + 24, y, length, STEP - 8, "own" if ours else "plain" if name != "no jail" else "host", 2)
        right = length
        if value <= cut and len(set(quartiles)) > 1:
            low, high = (min(it / cut * LONGEST, LONGEST + 60) for it in quartiles)
            middle, right = y + (STEP - 8) / 2, max(length, high)
            p.path(f"M{NAMES + 24 + low:.1f} {middle}H{NAMES + 24 + high:.1f}M{NAMES + 24 + low:.1f} {middle - 4}v8M{NAMES + 24 + high:.1f} {middle - 4}v8")
        if value > cut:
            x = NAMES + 24 + length - 40
            p.path(f"M{x} {y + STEP - 4}L{x + 8} {y - 4}M{x + 7} {y + STEP - 4}L{x + 15} {y - 4}")
        p.text(NAMES + 34 + right, y + 14, words(value), "bold" if ours else "", 12.5)
        y += STEP
    return y + 34


def times(value):
    return f"{value:.2f} ×" if value < 10 else f"{value:.0f} ×"


def draw(data, dark):
    groups = [
        ("A login by ssh", "ssh, key, PAM, session, the command true: as multiples of the login without a jail",
         [(it["name"], it["ratio"], it["quartiles"]) for it in data["logins"]], times),
        ("The jail alone", "where it is a program: start, true in its shell, end; the quickest tenth; as multiples of the shell alone",
         [(it["name"], it["ratio"], it["quartiles"]) for it in data["starts"]], times),
        ("Setting up one user with shell, editors, git, rsync, sftp and scp", "time from the account to the jail: as multiples of the quickest",
         [(it["name"], it["ratio"], it["quartiles"]) for it in data["set_ups"] if "ratio" in it], times),
        ("Disk for that user's root", "what is no hard link to the host's files; without the home's contents",
         [(it["name"], it["megabytes"], ()) for it in data["set_ups"]], lambda value: f"{value:.0f} MB"),
    ]  # fmt: skip
    height = 64 + sum(68 + STEP * len(rows) for _, _, rows, _ in groups) + 26
    versions = ", ".join(
        f"{name} {version.split(':')[-1].split('-')[0]}"
        for name, version in data["versions"]
        if name not in ("no jail", "login-jail, pam")
    ).replace("login-jail, login-shell", "login-jail").replace("ChrootDirectory", "OpenSSH")  # fmt: skip
    p = Picture(
        "What a jail costs, beside its peers",
        "; ".join(f"{title}: " + ", ".join(f"{name} {words(value)}" for name, value, _ in rows) for title, _, rows, words in groups) + ".",
        1000, height, dark,
    )  # fmt: skip
    y = 40
    for group in groups:
        title, note, rows, words = group
        y = bars(p, y, title, note, rows, words)
    p.text(24, height - 40, "All measured in one run, in turns; medians, and the quartiles as lines. Shorter is better. " + f"{data['date']}, Linux {data['kernel']}, Debian's packages:", "dim", 12)
    p.text(24, height - 22, versions + ".", "dim", 12)
    return p
