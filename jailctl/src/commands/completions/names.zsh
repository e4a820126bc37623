# Asks jailctl for names, by the config that is on the line. Without an answer there is nothing to offer.
_jailctl_names() {
    local kind=$1
    local -a typed=(${(z)BUFFER}) config names
    local at=${typed[(i)--config]}
    shift
    (( at < $#typed )) && config=(--config "${(Q)typed[at + 1]}")
    names=(${(f)"$(timeout 2 jailctl $config complete $kind 2>/dev/null)"})
    compadd "$@" -a names
}
_jailctl_jails() { _jailctl_names jails "$@" }
_jailctl_jailed() { _jailctl_names jailed "$@" }
_jailctl_presets() { _jailctl_names presets "$@" }
_jailctl_recordings() { _jailctl_names recordings "$@" }
