
# Asks jailctl for names, by the config that is on the line. Without an answer there is nothing to offer.
_jailctl_names() {
    local at config=()
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [[ ${COMP_WORDS[at]} == --config ]]; then
            [[ ${COMP_WORDS[at + 1]} == = ]] && at=$((at + 1))
            config=(--config "${COMP_WORDS[at + 1]}")
        fi
    done
    timeout 2 jailctl "${config[@]}" complete "$1" 2>/dev/null
}

# Prints those of the words in $1 that begin with $2. A word with an @ stands for names; a comma behind it says that a list
# of them is asked for. A word in brackets stands for something that has no names.
_jailctl_words() {
    local word all words=() before= cur=$2
    read -ra all <<<"$1"
    for word in "${all[@]}"; do
        case $word in
            @*) [[ $cur == -* ]] && continue ;;&
            @*,) [[ $cur == *,* ]] && before=${cur%,*}, && cur=${cur##*,} ;;&
            # compgen runs what it reads as words, and others than root may have a say in the names of accounts.
            @accounts*) words+=($(compgen -u | LC_ALL=C grep -x '[A-Za-z0-9_.+@][A-Za-z0-9_.+@-]*')) ;;
            @*) word=${word#@}; words+=($(_jailctl_names "${word%,}")) ;;
            '['* | '<'*) ;;
            *) words+=("$word") ;;
        esac
    done
    compgen -P "$before" -W "${words[*]}" -- "$cur"
}
