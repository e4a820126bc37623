"""paramiko: SFTP with its prefetch and pipelined writes, and a command where the account has a shell."""

import os
import sys
import tempfile

# This file has the name of what it imports.
sys.path.pop(0)
import paramiko

host, wanted = sys.argv[1], sys.argv[2:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", username=host, key_filename="/etc/ssh/sandbox/client", look_for_keys=False, allow_agent=False)
data = os.urandom(1_000_000)
with tempfile.TemporaryDirectory() as here, client.open_sftp() as sftp:
    name = os.path.join(here, "large")
    with open(name, "wb") as file:
        file.write(data)
    sftp.mkdir("paramiko")
    sftp.chdir("paramiko")
    sftp.put(name, "large")
    sftp.posix_rename("large", "other")
    sftp.get("other", name)
    with open(name, "rb") as file:
        assert file.read() == data
    with sftp.open("other", "rb") as file:
        assert file.read() == data
    sftp.chmod("other", 0o600)
    sftp.utime("other", (1, 2))
    stat = sftp.stat("other")
    assert (stat.st_size, stat.st_mtime, stat.st_mode & 0o777) == (len(data), 2, 0o600)
    assert sftp.listdir() == ["other"]
    sftp.remove("other")
    sftp.chdir("..")
    sftp.rmdir("paramiko")
if "command" in wanted:
    _, out, error = client.exec_command("echo $((6 * 7))")
    if out.read() != b"42\n" or out.channel.recv_exit_status() != 0:
        sys.exit(error.read().decode())
client.close()
