"""The requests of WinSCP's SFTP mode, in its order.

Public facts that this follows: WinSCP's documentation (its pages on SFTP, on resuming transfers and on session logs). It asks for
protocol version 6 and takes the server's answer, 3 of OpenSSH; finds the start directory by REALPATH "."; lists by OPENDIR and
READDIR; uploads what is larger than 100 KB as NAME.filepart and renames it; and sets the time by SETSTAT. It sends
several writes before it waits for their answers.
"""

import sys

import wire

session = wire.Session(sys.argv[1], version=6)
assert session.version == 3
start = session.realpath(b".")
session.names(start)
session.mkdir(start + b"/winscp")
session.setstat(start + b"/winscp", permissions=0o755)
there = session.realpath(start + b"/winscp")
small, large = b"small\r\n", bytes(range(256)) * 2000
for name, data in [(b"small.txt", small), (b"large.bin", large)]:
    final = there + b"/" + name
    partial = final + b".filepart" if len(data) > 100_000 else final
    assert session.lstat(final) is None
    handle = session.open(partial, wire.WRITE | wire.CREATE | wire.TRUNCATE)
    session.write_all(handle, data, at_once=4)
    session.close(handle)
    if partial != final:
        session.rename(partial, final)
    session.setstat(final, times=(1_700_000_000, 1_700_000_000))
assert {b"small.txt", b"large.bin"} <= set(session.names(there))
attributes = session.lstat(there + b"/large.bin")
assert (attributes.size, attributes.modified) == (len(large), 1_700_000_000)
handle = session.open(there + b"/large.bin", wire.READ)
assert session.read_all(handle, len(large)) == large
session.close(handle)
for name in (b"small.txt", b"large.bin"):
    session.remove(there + b"/" + name)
session.rmdir(there)
