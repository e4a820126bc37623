. "${0%/*}/common.sh"
[ "$(ssh "$host" 'echo "$((6 * 7))"')" = 42 ]
[ "$(echo piped | ssh "$host" cat)" = piped ]
echo tty | on_terminal | grep -q /dev/
