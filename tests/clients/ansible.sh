. "${0%/*}/common.sh"
export HOME="$here" ANSIBLE_PIPELINING=${2:-False} ANSIBLE_SSH_ARGS='-F /root/.ssh/config -o ControlMaster=auto -o ControlPersist=5s' \
    ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 ANSIBLE_SSH_CONTROL_PATH_DIR="$here/cp" ANSIBLE_LOCALHOST_WARNING=False
cat >play.yml <<'PLAY'
- hosts: all
  tasks:
    - ansible.builtin.ping:
    - ansible.builtin.copy: { src: tree/a.txt, dest: "ansible.txt" }
    - ansible.builtin.command: cat ansible.txt
      register: seen
    - ansible.builtin.assert: { that: seen.stdout == "one" }
PLAY
ansible-playbook -vvv -i "$host," play.yml >log || fail "$(cat log)"
# A second run finds nothing to copy.
grep -q 'unreachable=0  *failed=0' log || fail "$(cat log)"
