. "${0%/*}/putty.sh"
[ "$(putty plink "$host@127.0.0.1" 'echo "$((6 * 7))"')" = 42 ]
[ "$(echo 'echo $((6 * 7))' | putty plink -T "$host@127.0.0.1")" = 42 ]
