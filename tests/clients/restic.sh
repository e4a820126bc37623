. "${0%/*}/common.sh"
export RESTIC_PASSWORD=word RESTIC_CACHE_DIR="$here/cache"
restic="restic -q -r sftp:$host:restic"
$restic init
$restic backup tree
$restic check
$restic restore latest --target back
same tree back/tree
