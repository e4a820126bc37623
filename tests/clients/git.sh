. "${0%/*}/common.sh"
git config --global user.email a@example.org
git config --global user.name a
git config --global init.defaultBranch main
git config --global protocol.file.allow always
# Bare repositories come to the account by SFTP, as everything does where no shell is.
for name in part whole; do
    git init -q --bare "$name.git"
    scp -qr "$name.git" "$host:$name.git"
done
git clone -q "$host:part.git" part
cp -r tree/. part
git -C part add .
git -C part commit -qm first
git -C part push -q origin main
git clone -q "$host:whole.git" whole
git -C whole submodule --quiet add "$host:part.git" part
git -C whole commit -qm 'with a submodule'
git -C whole push -q origin main
git clone -q --recurse-submodules "$host:whole.git" again
same part/sub again/part/sub
echo more >>part/a.txt
git -C part commit -qam second
git -C part push -q origin main
git -C again/part fetch -q
[ "$(git -C again/part rev-parse origin/main)" = "$(git -C part rev-parse main)" ]
git -C part push -q origin main:refs/heads/other
git -C part push -q --force origin main~1:other
git -C part push -q --delete origin other
git archive --remote="$host:part.git" main | tar -t | grep -q a.txt
