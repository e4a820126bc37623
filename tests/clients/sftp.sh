. "${0%/*}/common.sh"
sftp -qb - "$host" <<'BATCH'
mkdir sftp
put -r tree sftp/tree
rename sftp/tree sftp/other
ln -s other sftp/link
chmod 600 sftp/other/a.txt
ls -l sftp
get -r sftp/link back
rm sftp/link
df sftp
BATCH
same tree back
