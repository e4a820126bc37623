. "${0%/*}/common.sh"
# A session of tmux is left and joined again within one login.
on_terminal >out <<'REMOTE' || fail "$(cat out)"
TERM=xterm; export TERM
tmux new-session -d -s work 'echo in-$((6 * 7)) >tmux.out; exec sleep 60'
for i in 1 2 3 4 5 6 7 8 9 10; do [ -s tmux.out ] && break; sleep 0.2; done
( sleep 1; tmux detach-client -s work; sleep 1; tmux kill-server ) &
tmux attach -t work && cat tmux.out; wait
REMOTE
grep -q in-42 out || fail "$(cat out)"
grep -q 'detached (from session work)' out || fail "$(cat out)"
