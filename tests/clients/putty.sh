# What PuTTY's programs need: their own form of the key, and the server's key, which they are not to ask for.
. "${0%/*}/common.sh"
export HOME="$here"
puttygen /etc/ssh/sandbox/client -O private -o key.ppk
known=$(ssh-keygen -lf /etc/ssh/sandbox/host.pub | cut -d ' ' -f 2)
putty() {
    program=$1
    shift
    "$program" -batch -i key.ppk -hostkey "$known" "$@"
}
