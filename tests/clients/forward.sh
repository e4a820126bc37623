# sshd forwards by itself, on the host: -L, -R and -D work where its config allows them, whatever the jail starts.
. "${0%/*}/common.sh"
echo page >index.html
python3 -m http.server --bind 127.0.0.1 8001 >/dev/null 2>&1 &
server=$!
ssh -N -o ExitOnForwardFailure=yes -L 8002:127.0.0.1:8001 -R 8003:127.0.0.1:8001 -D 8004 "$host" 2>log &
ssh=$!
trap 'kill $ssh $server 2>/dev/null || :' EXIT
await curl -sf http://127.0.0.1:8002/
[ "$(curl -sf http://127.0.0.1:8002/)" = page ] || fail "-L: $(cat log)"
[ "$(curl -sf http://127.0.0.1:8003/)" = page ] || fail "-R: $(cat log)"
[ "$(curl -sf --socks5 127.0.0.1:8004 http://127.0.0.1:8001/)" = page ] || fail "-D: $(cat log)"
