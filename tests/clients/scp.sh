. "${0%/*}/common.sh"
scp -qr tree "$host:scp"
scp -qr "$host:scp" back
same tree back
scp -q "$host:scp/*.txt" .
same tree/a.txt a.txt
