"""The requests of FileZilla, whose fzsftp is made of PuTTY's psftp.

Public facts that this follows: psftp's description in PuTTY's manual (chapter 6), and the commands that FileZilla's message log
shows: pwd, cd, ls, mtime, put, chmtime, get. `pwd` is the answer to REALPATH "."; `cd` resolves, opens and closes the directory;
`ls` is OPENDIR and READDIR; `mtime` is STAT; `put` opens for writing, keeps writes on their way, and closes; a resumed `get` starts
in the middle of the file.
"""

import sys

import wire

session = wire.Session(sys.argv[1], version=3)
start = session.realpath(b".")


def change_to(path):
    path = session.realpath(path)
    session.close(session.opendir(path))
    return path


session.names(change_to(start))
session.mkdir(start + b"/filezilla")
there = change_to(start + b"/filezilla")
data = bytes(range(256)) * 1200
path = there + "/na me ö".encode()
handle = session.open(path, wire.WRITE | wire.CREATE | wire.TRUNCATE)
session.write_all(handle, data, at_once=16)
session.close(handle)
session.setstat(path, times=(1_600_000_000, 1_600_000_000))
assert session.stat(path).modified == 1_600_000_000
assert session.names(there).count("na me ö".encode()) == 1
handle = session.open(path, wire.READ)
assert session.read_all(handle, len(data), start=100_000) == data[100_000:]
session.close(handle)
session.rename(path, there + b"/renamed")
session.setstat(there + b"/renamed", permissions=0o640)
assert session.stat(there + b"/renamed").permissions & 0o777 == 0o640
session.remove(there + b"/renamed")
session.rmdir(there)
