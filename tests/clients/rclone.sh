. "${0%/*}/common.sh"
export HOME="$here" RCLONE_CONFIG="$here/rclone.conf"
# It asks the account's shell which one it is, and for sums of files; without a shell it goes by size and time.
remote=":sftp,host=127.0.0.1,user=$host,key_file=/etc/ssh/sandbox/client:"
rclone copy tree "${remote}rclone" 2>log || fail "$(cat log)"
rclone sync "${remote}rclone" back 2>>log || fail "$(cat log)"
same tree back
rm tree/empty
rclone sync tree "${remote}rclone" 2>>log
rclone check tree "${remote}rclone" 2>>log || fail "$(cat log)"
rclone lsl "${remote}rclone" 2>>log | grep -q sub/large
rclone about "$remote" 2>>log || :
