# What each client's script begins with: `sh -eu SCRIPT HOST`, where HOST is the account, and a Host of ~/.ssh/config.
# The script runs on the client's side, in a directory of its own, and ends with 0 where the client did all of its work.
host=$1
here=$(mktemp -d)
cd "$here"
# What is sent: a blank and a letter beyond ASCII in names, an empty file, and one that takes several packets.
mkdir -p tree/sub
echo one >tree/a.txt
echo two >'tree/b ö.txt'
: >tree/empty
head -c 300000 /dev/urandom >tree/sub/large

same() {
    diff -r "$1" "$2" || fail "$2 is not $1"
}

fail() {
    echo "$*" >&2
    exit 1
}

# Has the account's shell read the script on standard input, with a terminal on both sides, and gives what the terminal shows.
on_terminal() {
    cat >remote
    script -qec "ssh -tt $host \"\$(cat remote)\"" /dev/null </dev/null
}

# Waits until a command succeeds.
await() {
    for _ in $(seq 100); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    fail "not within ten seconds: $*"
}
