# Asks jailctl for names, by the config that is on the line. Without an answer there is nothing to offer.
function __jailctl_names
    set -l words (commandline -opc)
    set -l config
    if set -l at (contains -i -- --config $words)
        set config --config $words[(math $at + 1)]
    end
    timeout 2 jailctl $config complete $argv[1] 2>/dev/null
end

