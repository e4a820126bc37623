. "${0%/*}/putty.sh"
putty pscp -q -r -scp tree "$host@127.0.0.1:pscp-scp"
putty pscp -q -r -scp "$host@127.0.0.1:pscp-scp" back
same tree back
