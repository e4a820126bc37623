"""WinSCP's SCP mode: a shell, not a command.

Public facts that this follows: the server requirements and the session logs in WinSCP's documentation. It asks for a shell without a
terminal and goes on in that one shell. Each command is followed by an echo of a mark with the command's exit status; a mark before a
command tells where a greeting ends. It removes aliases, unsets variables of the language, asks for `groups` and `pwd`, lists
with `ls -la --full-time`, and copies by `scp -t` and `scp -f`, whose protocol it speaks inside the same shell.
"""

import subprocess
import sys

BEGIN, END = "begin-of-file mark", "end-of-file mark"
shell = subprocess.Popen(["ssh", "-T", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def say(data):
    shell.stdin.write(data)
    shell.stdin.flush()


def line():
    read = shell.stdout.readline()
    if not read:
        sys.exit("the shell has ended")
    return read.decode().rstrip("\n")


def until_end(lines=None):
    lines = [] if lines is None else lines
    while not (last := line()).startswith(END):
        lines.append(last)
    return lines, int(last.rpartition(":")[2])


def run(command):
    say(f'{command} ; echo "{END}:$?"\n'.encode())
    return until_end()


def must(command):
    lines, status = run(command)
    assert status == 0, (command, lines, status)
    return lines


def copy(command):
    say(f'echo "{BEGIN}" ; {command} ; echo "{END}:$?"\n'.encode())
    assert line() == BEGIN


def agreed():
    assert (byte := shell.stdout.read(1)) == b"\0", byte + shell.stdout.readline()


say(f'echo "{END}:0"\n'.encode())
until_end()
for status in ("$status", "$?"):
    run(f'echo "{status}"')
for command in ("ls", "cd", "groups", "scp", "rm", "mv", "mkdir", "chmod"):
    run(f'unalias "{command}" 2>/dev/null')
for variable in ("LANG", "LC_ALL", "LC_TIME", "HUMAN_BLOCKS"):
    run(f'unset "{variable}"')
must("groups")
start = must("pwd")[0]
must('mkdir "winscp-scp"')
must('cd "winscp-scp"')
data = bytes(range(256)) * 1000
copy('scp -r -p -d -t "."')
agreed()
say(b"T1700000000 0 1700000000 0\n")
agreed()
say(b"C0644 %d na me\n" % len(data))
agreed()
say(data + b"\0")
agreed()
say(b"E\n")
agreed()
until_end()
listed = must("ls -la --full-time")
assert any("2023-11-1" in one and one.endswith("na me") for one in listed), listed
copy('scp -r -p -d -f "na me"')
say(b"\0")
assert line().startswith("T1700000000")
say(b"\0")
assert line() == f"C0644 {len(data)} na me"
say(b"\0")
assert shell.stdout.read(len(data)) == data
agreed()
say(b"\0")
until_end()
must('mv -f "na me" "other"')
must('chmod 600 "other"')
must('ln -s "other" "link"')
must(f'cd "{start}"')
must('rm -f -r "winscp-scp"')
shell.stdin.close()
sys.exit(shell.wait(timeout=10))
