. "${0%/*}/common.sh"
rsync -a tree/ "$host:rsync/"
rsync -a "$host:rsync/" back/
same tree back
rsync -a --old-args "$host:rsync/*.txt" some/
[ "$(ls some)" = "$(cd tree && ls -- *.txt)" ]
rm tree/empty
rsync -ac --delete tree/ "$host:~/rsync/"
rsync -az --delete "$host:rsync/" back/
same tree back
rsync -a "$host:rsync/b ö.txt" named
same 'tree/b ö.txt' named
rsync --list-only "$host:rsync/" | grep -q a.txt
# The options of the client's that its server is told in -e.
rsync -vv -a tree/ "$host:rsync/" 2>&1 | grep -q -- '--server -[A-Za-z]*e\.[A-Za-z]' || fail 'no -e.LsfxCIvu was sent'
