. "${0%/*}/common.sh"
ssh-keygen -q -t ed25519 -N '' -f other
eval "$(ssh-agent)" >/dev/null
trap 'kill $SSH_AGENT_PID' EXIT
ssh-add -q other
ssh -A "$host" 'ssh-add -l'
