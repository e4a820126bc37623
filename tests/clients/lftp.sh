. "${0%/*}/common.sh"
export HOME="$here"
lftp -c "
set sftp:auto-confirm yes
set sftp:connect-program 'ssh -a -x -F /root/.ssh/config'
set cmd:fail-exit yes
set net:max-retries 1
open sftp://$host:@$host
mirror -R tree lftp
mirror lftp back
put -O lftp tree/a.txt -o again.txt
get lftp/again.txt
mv lftp/again.txt lftp/moved.txt
rm lftp/moved.txt
cls -l lftp"
same tree back
same tree/a.txt again.txt
