"""asyncssh: SFTP, many requests at once, and commands side by side on one connection where the account has a shell."""

import asyncio
import os
import sys

# This file has the name of what it imports.
sys.path.pop(0)
import asyncssh

host, wanted = sys.argv[1], sys.argv[2:]


async def main():
    async with asyncssh.connect(
        "127.0.0.1", username=host, client_keys=["/etc/ssh/sandbox/client"], known_hosts=None, config=None, agent_path=None
    ) as connection:
        data = os.urandom(1_000_000)
        async with connection.start_sftp_client() as sftp:
            await sftp.mkdir("asyncssh")

            async def there_and_back(number):
                path = f"asyncssh/{number}"
                async with sftp.open(path, "wb") as file:
                    await file.write(data)
                async with sftp.open(path, "rb") as file:
                    assert await file.read() == data

            await asyncio.gather(*(there_and_back(number) for number in range(4)))
            names = await sftp.listdir("asyncssh")
            assert sorted(set(names) - {".", ".."}) == ["0", "1", "2", "3"], names
            await sftp.rmtree("asyncssh")
        if "command" in wanted:
            done = await asyncio.gather(*(connection.run(f"echo {number}") for number in range(4)))
            if any(one.exit_status != 0 for one in done):
                sys.exit(done[0].stderr)
            assert [one.stdout for one in done] == ["0\n", "1\n", "2\n", "3\n"]


asyncio.run(main())
