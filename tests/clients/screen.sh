. "${0%/*}/common.sh"
on_terminal >out <<'REMOTE' || fail "$(cat out)"
TERM=xterm; export TERM; SCREENDIR=$HOME/.screen; export SCREENDIR; mkdir -m 700 -p $SCREENDIR
screen -dmS work sh -c 'echo in-$((6 * 7)) >screen.out; exec sleep 60'
for i in 1 2 3 4 5 6 7 8 9 10; do [ -s screen.out ] && break; sleep 0.2; done
( sleep 1; screen -S work -X detach; sleep 1; screen -S work -X quit ) &
screen -r work; cat screen.out; wait
REMOTE
grep -q in-42 out || fail "$(cat out)"
grep -q 'detached from' out || fail "$(cat out)"
