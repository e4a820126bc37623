# The steps of a remote editor, as public accounts of VS Code's Remote-SSH describe them: a script on standard input of `bash` looks at
# the machine, makes ~/.vscode-server, unpacks a server, starts it in the background, and prints the port that it listens on, between marks.
# The client connects to that port through the -D of the same connection. The server outlives the script. Written anew; nothing
# of VS Code's runs here.
. "${0%/*}/common.sh"
cat >install.sh <<'SCRIPT'
set -eu
echo "start-mark"
uname -sm >/dev/null
home=$HOME/.vscode-server
mkdir -p "$home/bin/commit"
cd "$home/bin/commit"
exec 9>"$home/.lock"
flock -n 9
cat >archive.tar.gz.b64 <<'ARCHIVE'
ARCHIVE_TEXT
ARCHIVE
base64 -d archive.tar.gz.b64 | tar -xz
[ "$(cat page)" = page ]
: >log
nohup setsid ./server >log 2>&1 </dev/null 9>&- &
echo $! >pid
for i in $(seq 100); do
    port=$(sed -n 's/^Extension host agent listening on //p' log)
    [ -z "$port" ] || break
    sleep 0.1
done
ps -p "$(cat pid)" >/dev/null
echo "listeningOn==$port=="
echo "end-mark"
SCRIPT
mkdir server
echo page >server/page
cat >server/server <<'SERVER'
#!/usr/bin/python3
import functools, http.server
server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(http.server.SimpleHTTPRequestHandler, directory="."))
print("Extension host agent listening on", server.server_port, flush=True)
server.serve_forever()
SERVER
chmod 755 server/server
tar -C server -cz . | base64 >archive
sed -i -e '/^ARCHIVE_TEXT$/{r archive' -e 'd}' install.sh
mkfifo steady
( cat install.sh; exec cat steady ) | ssh -T -D 8011 "$host" 'bash -s -- || sh' >out 2>log &
ssh=$!
exec 8>steady
trap 'kill $ssh 2>/dev/null || :' EXIT
for _ in $(seq 100); do
    ! grep -q end-mark out || break
    kill -0 "$ssh" 2>/dev/null || break
    sleep 0.1
done
port=$(sed -n 's/^listeningOn==\(.*\)==$/\1/p' out)
[ -n "$port" ] || fail "$(cat out log)"
[ "$(curl -sf --socks5-hostname 127.0.0.1:8011 "http://127.0.0.1:$port/page")" = page ] || fail "$(cat out log)"
# The server stays when the connection ends, and another one finds it.
exec 8>&-
kill "$ssh"
wait "$ssh" || :
trap - EXIT
ssh -N -L "8012:127.0.0.1:$port" "$host" &
ssh=$!
trap 'kill $ssh 2>/dev/null || :' EXIT
await curl -sf http://127.0.0.1:8012/page
