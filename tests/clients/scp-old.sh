. "${0%/*}/common.sh"
scp -Oqr tree "$host:scp-old"
scp -Oqr "$host:scp-old" back
same tree back
scp -Oq "$host:scp-old/*.txt" .
same tree/a.txt a.txt
