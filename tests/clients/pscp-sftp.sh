. "${0%/*}/putty.sh"
sftp -qb - "$host" <<'BATCH'
mkdir pscp-sftp
BATCH
putty pscp -q -r -sftp tree "$host@127.0.0.1:pscp-sftp"
putty pscp -q -r -sftp "$host@127.0.0.1:pscp-sftp/tree" back
same tree back
putty pscp -sftp -ls "$host@127.0.0.1:pscp-sftp/tree" | grep -q a.txt
