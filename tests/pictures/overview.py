"""Doors, policy, jail: what happens between a login and the user's first program."""

from svg import Picture

DOORS = [
    ("login-shell", "jail-shell as login shell", "ssh, scp, sftp, rsync, git, su, login"),
    ("force-command", "jail-shell as sshd's ForceCommand", "ssh, scp, sftp; the login shell stays"),
    ("pam", "pam_jail.so in /etc/pam.d", "sshd, su, cron, at, FTP, sudo, login"),
]
WALLS = [
    "its own root: no path leads to the host",
    "own processes (not at pam), /dev, /tmp",
    "Landlock: no file outside opens",
    "seccomp: no mounts, no new namespaces",
    "no root, no capabilities, no way back",
]


def draw(_, dark):
    p = Picture(
        "How login-jail works: three doors, one policy, one jail",
        "A user logs in through one of three doors: jail-shell as login shell, jail-shell as ForceCommand of sshd, or the PAM "
        "module. Each door asks the same config which rule is for this user. A user with a rule is put into a jail: a root "
        "directory with the host's programs read-only and a home of the user's own, behind five walls. If there is no rule, or "
        "if anything fails, the login is refused. Users who are exempt from the PAM module log in as before.",
        1000, 452, dark,
    )  # fmt: skip
    for x, title in [(24, "1  A door"), (372, "2  One policy"), (658, "3  The jail")]:
        p.text(x, 38, title, "bold", 18)
    for row, (name, what, programs) in enumerate(DOORS):
        y = 60 + row * 92
        p.box(24, y, 290, 76)
        p.text(38, y + 23, name, "mono bold", 14)
        p.text(38, y + 43, what, "", 13)
        p.text(38, y + 62, programs, "dim", 12)
        p.path(f"M314 {y + 38}C340 {y + 38} 340 190 366 190", arrow=row == 1)

    p.box(372, 60, 228, 260, "made")
    p.text(386, 84, "/etc/login-jail/config.toml", "mono bold", 12)
    p.lines(386, 112, ["[users]", 'ann = "web"', "[groups]", 'authors = "web"', "", "[jails.web]", 'root = "/srv/jails/{user}"', 'base = "host"'], "mono", 12, 17)  # fmt: skip
    p.lines(386, 262, ["The first rule that names", "the user decides. The answer", "is the same at every door."], "dim", 12.5)

    p.path("M600 150H652", arrow=True)
    p.text(626, 142, "rule", "dim mid", 12)
    p.box(658, 60, 318, 260, "own", more=' stroke-width="3"')
    p.text(674, 84, "/srv/jails/ann", "mono bold", 14)
    p.text(962, 84, "is / for ann", "end dim", 12.5)
    for y, shape, name, what in [
        (96, "page", "/home/ann", "hers, she can write"),
        (126, "host", "/usr", "the host's, read-only"),
        (156, "made", "/etc /dev /proc /tmp", "made for her"),
    ]:
        p.box(672, y, 290, 25, shape, 4)
        p.text(682, y + 17, name, "mono", 12)
        p.text(954, y + 17, what, "end dim", 12)
    p.text(674, 206, "Walls", "bold", 14)
    p.lines(674, 226, [f"• {wall}" for wall in WALLS], "", 13, 19.5)

    p.path("M440 320V352", "stop", arrow=True)
    p.text(450, 341, "no rule, or any failure", "red", 12)
    p.box(372, 358, 228, 66, "bad")
    p.text(386, 381, "Login refused", "bold red")
    p.lines(386, 400, ["The log names the cause", "and the command that mends it."], "", 12, 16)
    p.path("M600 296H629V390H652", arrow=True)
    p.text(638, 346, "exempt, at the door pam", "dim", 12)
    p.box(658, 358, 318, 66)
    p.text(674, 381, "The host, as before", "bold")
    p.lines(674, 400, ["for exempt users, and for everybody whose", "login goes through none of the doors"], "", 12, 16)
    p.box(24, 358, 290, 66, "host")
    p.text(38, 381, "jailctl", "mono bold")
    p.lines(38, 400, ["root's tool: writes the rules, builds roots,", "explains logins, finds what is wrong"], "", 12, 16)
    p.path("M314 372H342V300H366", arrow=True)
    return p
