. "${0%/*}/common.sh"
[ -e /dev/fuse ] || mknod -m 666 /dev/fuse c 10 229
mkdir mounted
sshfs "$host:" mounted
trap 'fusermount3 -u mounted || umount -l mounted' EXIT
cp -r tree mounted/sshfs
same tree mounted/sshfs
mv mounted/sshfs/a.txt mounted/sshfs/c.txt
echo more >>mounted/sshfs/c.txt
[ "$(cat mounted/sshfs/c.txt)" = "one
more" ]
rm -r mounted/sshfs/sub
