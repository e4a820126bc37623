. "${0%/*}/common.sh"
export LANG=C.UTF-8 TERM=xterm
# Its packets are UDP, from port 60001 on; ssh only starts the server.
script -qec "stty rows 24 cols 80; mosh $host -- sh -c 'echo in-\$((6 * 7)); sleep 1'" out </dev/null >/dev/null || fail "$(cat out)"
grep -q in-42 out || fail "$(cat out)"
