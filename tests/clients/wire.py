"""The SFTP protocol on the wire, version 3 (draft-ietf-secsh-filexfer-02), over an ssh that runs the subsystem: for clients that are
not here themselves, whose requests are sent one by one in their order."""

import collections
import struct
import subprocess

READ, WRITE, CREATE, TRUNCATE = 1, 2, 8, 16
INIT, OPEN, CLOSE, READ_DATA, WRITE_DATA, LSTAT, SETSTAT = 1, 3, 4, 5, 6, 7, 9
OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, SYMLINK = 11, 12, 13, 14, 15, 16, 17, 18, 20
STATUS, HANDLE, DATA, NAME, ATTRIBUTES = 101, 102, 103, 104, 105
OK, END_OF_FILE, NO_SUCH_FILE = 0, 1, 2

Attributes = collections.namedtuple("Attributes", "size permissions modified")


class Refused(Exception):
    """A status that is not OK."""


def text(value):
    return struct.pack(">I", len(value)) + value


class Session:
    def __init__(self, host, version, subsystem=("-s", "sftp")):
        self.ssh = subprocess.Popen(["ssh", *subsystem[:1], host, *subsystem[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = 0
        self.send(INIT, struct.pack(">I", version))
        _, rest = self.receive()
        self.version = struct.unpack_from(">I", rest)[0]

    def send(self, kind, rest):
        self.ssh.stdin.write(struct.pack(">IB", len(rest) + 1, kind) + rest)
        self.ssh.stdin.flush()

    def receive(self):
        length, kind = struct.unpack(">IB", self.ssh.stdout.read(5))
        return kind, self.ssh.stdout.read(length - 1)

    def ask(self, kind, rest):
        self.number += 1
        self.send(kind, struct.pack(">I", self.number) + rest)
        return self.number

    def answer(self, number):
        kind, rest = self.receive()
        assert struct.unpack_from(">I", rest)[0] == number, "answers come in order"
        return kind, rest[4:]

    def call(self, kind, rest):
        kind, rest = self.answer(self.ask(kind, rest))
        if kind == STATUS:
            code, length = struct.unpack_from(">II", rest)
            if code != OK:
                raise Refused(code, rest[8 : 8 + length].decode())
        return kind, rest

    def realpath(self, path):
        _, rest = self.call(REALPATH, text(path))
        length = struct.unpack_from(">I", rest, 4)[0]
        return rest[8 : 8 + length]

    def handle_of(self, kind, rest):
        _, rest = self.call(kind, rest)
        return rest[4:]

    def opendir(self, path):
        return self.handle_of(OPENDIR, text(path))

    def open(self, path, flags):
        return self.handle_of(OPEN, text(path) + struct.pack(">II", flags, 0))

    def close(self, handle):
        self.call(CLOSE, text(handle))

    def names(self, path):
        handle, names = self.opendir(path), []
        while True:
            try:
                _, rest = self.call(READDIR, text(handle))
            except Refused as refused:
                assert refused.args[0] == END_OF_FILE
                break
            at = 4
            for _ in range(struct.unpack_from(">I", rest)[0]):
                for column in range(2):
                    length = struct.unpack_from(">I", rest, at)[0]
                    if column == 0:
                        names.append(rest[at + 4 : at + 4 + length])
                    at += 4 + length
                at += self.attributes(rest[at:])[1]
        self.close(handle)
        return names

    def attributes(self, rest):
        flags, at, size, permissions, modified = struct.unpack_from(">I", rest)[0], 4, None, None, None
        if flags & 1:
            size = struct.unpack_from(">Q", rest, at)[0]
            at += 8
        if flags & 2:
            at += 8
        if flags & 4:
            permissions = struct.unpack_from(">I", rest, at)[0]
            at += 4
        if flags & 8:
            modified = struct.unpack_from(">I", rest, at + 4)[0]
            at += 8
        return Attributes(size, permissions, modified), at

    def stat(self, path, kind=STAT):
        _, rest = self.call(kind, text(path))
        return self.attributes(rest)[0]

    def lstat(self, path):
        try:
            return self.stat(path, LSTAT)
        except Refused as refused:
            assert refused.args[0] == NO_SUCH_FILE
            return None

    def setstat(self, path, permissions=None, times=None):
        flags = (4 if permissions is not None else 0) | (8 if times else 0)
        rest = struct.pack(">I", flags)
        rest += struct.pack(">I", permissions) if permissions is not None else b""
        rest += struct.pack(">II", *times) if times else b""
        self.call(SETSTAT, text(path) + rest)

    def mkdir(self, path):
        self.call(MKDIR, text(path) + struct.pack(">I", 0))

    def rmdir(self, path):
        self.call(RMDIR, text(path))

    def remove(self, path):
        self.call(REMOVE, text(path))

    def rename(self, path, to):
        self.call(RENAME, text(path) + text(to))

    def symlink(self, target, path):
        # OpenSSH has the two in this order.
        self.call(SYMLINK, text(target) + text(path))

    def write_all(self, handle, data, at_once):
        """Writes in pieces, with as many on their way as the client has."""
        waiting = collections.deque()
        for start in range(0, len(data), 32_000):
            piece = text(handle) + struct.pack(">Q", start) + text(data[start : start + 32_000])
            waiting.append(self.ask(WRITE_DATA, piece))
            if len(waiting) == at_once:
                self.written(waiting.popleft())
        while waiting:
            self.written(waiting.popleft())

    def written(self, number):
        kind, rest = self.answer(number)
        assert (kind, struct.unpack_from(">I", rest)[0]) == (STATUS, OK), rest

    def read_all(self, handle, length, start=0):
        data = b""
        while start < length:
            _, rest = self.call(READ_DATA, text(handle) + struct.pack(">QI", start, 32_768))
            data += rest[4:]
            start += len(rest) - 4
        return data
