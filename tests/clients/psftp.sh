. "${0%/*}/putty.sh"
putty psftp "$host@127.0.0.1" -b /dev/stdin <<'BATCH'
mkdir psftp
cd psftp
put -r tree tree
ls
mv tree other
get -r other back
chmod 600 other/a.txt
rm other/a.txt
BATCH
same tree back
