. "${0%/*}/common.sh"
export BORG_PASSPHRASE=word BORG_BASE_DIR="$here/base"
borg init -e repokey "ssh://$host/./borg"
borg create "ssh://$host/./borg::first" tree
borg check "ssh://$host/./borg"
mkdir back
cd back
borg extract "ssh://$host/./borg::first"
same ../tree tree
