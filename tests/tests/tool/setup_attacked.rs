//! `jailctl setup` and `undo` where somebody is in the way: users who own what is above a root, links, and another administrator.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::Sandbox;

/// All that a set-up may change, with contents.
fn state(sandbox: &Sandbox) -> String {
    sandbox.must(
        "cd /; find etc srv home -xdev ! -name '*-' ! -name '.pwd.lock' | LC_ALL=C sort | xargs -d '\\n' stat -c '%N %a %U:%G'
         find etc -xdev -type f ! -name '*-' ! -name .pwd.lock | LC_ALL=C sort | xargs -d '\\n' sha256sum",
    )
}

const WEB: &str = "exempt = [\"root\"]\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n";

fn host() -> Sandbox {
    Sandbox::new().with(
        "useradd -m eve; rm -rf /srv/jails; mkdir /srv/jails
         ssh-keygen -q -t ed25519 -N '' -f /root/key; mkdir -p /etc/ssh/sshd_config.d",
    )
}

#[test]
fn refuses_a_place_that_somebody_else_could_exchange_and_changes_nothing() {
    for (there, words, reason) in [
        ("", "--root /home/eve/jails", "/home/eve belongs to uid"),
        (
            "install -d -o eve /home/eve/jails /home/eve/jails/ann",
            "--root /home/eve/jails",
            "/home/eve belongs to uid",
        ),
        (
            "mkdir /srv/open; chmod 777 /srv/open",
            "--root /srv/open/jails",
            "/srv/open is mode 0777",
        ),
        (
            "ln -s /home/eve /srv/jails/ann",
            "",
            "/srv/jails/ann is a symbolic link",
        ),
        (
            "install -d -o eve /srv/jails/ann",
            "",
            "/srv/jails/ann belongs to uid",
        ),
        (
            "mkdir /srv/jails/ann; install -d -o eve /srv/jails/ann/home",
            "",
            "/srv/jails/ann/home belongs to uid",
        ),
        ("", "--shared /home/eve/shared", "/home/eve belongs to uid"),
    ] {
        let sandbox = host().with(there);
        let before = state(&sandbox);
        let said = sandbox.sh(&format!(
            "jailctl setup sftp --user ann --key /root/key.pub --yes {words}"
        ));
        assert_eq!(said.code(), Some(3), "{there} {words}: {said}");
        assert!(
            said.stderr.contains("nothing was changed, because of "),
            "{said}"
        );
        assert!(said.stderr.contains(reason), "{said}");
        assert!(state(&sandbox) == before, "{there} {words}");
        sandbox.must("test ! -e /var/lib/login-jail/setup");
    }
}

#[test]
fn what_takes_the_place_of_a_directory_later_stays_when_it_is_taken_back() {
    let sandbox = host();
    sandbox.must("jailctl setup sftp --user ann --key /root/key.pub --yes");
    // What the user can put into the home, and what root has put in its place.
    sandbox.must(
        "mkdir /srv/keep; touch /srv/keep/file; ln -s /srv/keep /srv/jails/ann/home/ann/link; ln /root/key.pub /srv/jails/ann/home/ann/hard",
    );
    let undone = sandbox.run(&["jailctl", "undo"]);
    assert_eq!(undone.code(), Some(0), "{undone}");
    let kept = "kept: /srv/jails/ann/home/ann: it stays, because it is not empty";
    assert!(undone.stdout.contains(kept), "{undone}");
    sandbox.must(
        "test -e /srv/keep/file; test -L /srv/jails/ann/home/ann/link; test -e /root/key.pub",
    );
}

#[test]
fn two_set_ups_at_once_are_made_one_after_the_other_and_both_are_taken_back() {
    let sandbox = host();
    let before = state(&sandbox);
    sandbox.must(
        "jailctl setup sftp --user ann --key /root/key.pub --yes >/run/one 2>&1 & one=$!
         jailctl setup build-host --user bob --key /root/key.pub --yes >/run/two 2>&1 & two=$!
         wait $one && wait $two || { cat /run/one /run/two >&2; exit 1; }",
    );
    let checked = sandbox.run(&["jailctl", "check"]);
    assert_eq!(checked.code(), Some(0), "{checked}");
    sandbox.must("jailctl undo; jailctl undo");
    let after = state(&sandbox);
    assert!(after == before, "{before}\n---\n{after}");
}

#[test]
fn a_file_of_keys_in_a_users_home_gives_whole_public_keys_and_nothing_else() {
    let sandbox = host();
    sandbox.must(
        "cd /home/eve; cp /root/key.pub key.pub; cat key.pub /etc/shadow >mixed; ln -s /etc/shadow link; mkfifo pipe
         echo \"command=\\\"id\\\" $(cat key.pub)\" >options; (cat key.pub; head -c 70000 /dev/zero) >large; mkdir directory",
    );
    sandbox.write("/etc/login-jail/config.toml", WEB);
    let before = state(&sandbox);
    for (file, why) in [
        ("mixed", "this is no public key"),
        ("link", "it is a symbolic link"),
        ("pipe", "it is no regular file"),
        ("directory", "it is no regular file"),
        ("options", "the key has options"),
        ("large", "more than 64 KiB"),
    ] {
        for command in [
            "setup sftp --user ann --yes",
            "add --group pupils --jail web --create-accounts ann",
        ] {
            let said = sandbox.sh(&format!(
                "timeout 20 jailctl {command} --key /home/eve/{file}"
            ));
            assert_eq!(said.code(), Some(2), "{file}: {said}");
            assert!(said.stderr.contains(why), "{file}: {said}");
            assert!(!said.stderr.contains("root:"), "{file}: {said}");
            assert!(state(&sandbox) == before, "{file}");
        }
    }
    sandbox.must("jailctl setup sftp --user ann --yes --key /home/eve/key.pub");
    sandbox.must("cmp /root/key.pub /etc/ssh/authorized_keys.d/ann");
}

#[test]
fn keys_that_somebody_has_left_do_not_log_in_as_a_new_user() {
    for left in [
        "cp /root/key.pub /etc/ssh/authorized_keys.d/ann",
        "ln -s /home/eve/keys /etc/ssh/authorized_keys.d/ann",
    ] {
        let sandbox = host()
            .with("mkdir -p /etc/ssh/authorized_keys.d")
            .with(left);
        let before = state(&sandbox);
        for words in ["--key /root/key.pub", ""] {
            let said = sandbox.sh(&format!("jailctl setup sftp --user ann --yes {words}"));
            assert_eq!(said.code(), Some(3), "{said}");
            assert!(said.stderr.contains("whoever has these keys"), "{said}");
            assert!(state(&sandbox) == before, "{words}");
        }
    }
}

#[test]
fn what_one_member_has_in_place_of_keys_keeps_nobody_else_from_a_set_up() {
    for odd in [
        "mkfifo keys; timeout 60 sh -c \"sleep 60 >keys\" >/dev/null 2>&1 &",
        "mkfifo keys",
        "ln -s /etc/shadow keys",
        "mkdir keys",
        "ln -s keys keys",
    ] {
        let sandbox = host().with(&format!(
            "useradd -m -s /bin/bash ann; groupadd -U ann,eve pupils; usermod -s /bin/bash eve
             for user in ann eve; do install -d -m 700 -o $user /home/$user/.ssh; done
             install -m 600 -o ann /root/key.pub /home/ann/.ssh/authorized_keys
             runuser -u eve -- sh -c 'cd ~/.ssh; {odd}'
             mv /home/eve/.ssh/keys /home/eve/.ssh/authorized_keys"
        ));
        let before = state(&sandbox);
        let said = sandbox.sh(
            "export PATH=/usr/local/sbin:$PATH; timeout 60 jailctl setup sftp --group pupils --yes",
        );
        assert!(
            said.code() == Some(0) || said.code() == Some(1),
            "{odd}: {said}"
        );
        assert!(
            said.stdout
                .contains("the keys that eve has in the home are not taken along"),
            "{odd}: {said}"
        );
        sandbox.must("cmp /root/key.pub /etc/ssh/authorized_keys.d/ann; test ! -e /etc/ssh/authorized_keys.d/eve");
        sandbox.run(&["jailctl", "undo"]).ok();
        assert!(state(&sandbox) == before, "{odd}");
    }
}

/// As chfn(1) and useradd(8) of old have left them: bytes that are no UTF-8, in names of people.
const ODD_BYTES: &str = r"
sed -i '/^eve:/s/:[^:]*:\/home/:J\xfcrgen \xff:\/home/' /etc/passwd
printf '# J\374rgen\n' | tee -a /etc/pam.d/other /etc/cron.deny /etc/login.defs /etc/group >>/etc/gshadow
";

#[test]
fn bytes_that_are_no_text_stop_nothing_and_stay() {
    let sandbox = host();
    sandbox
        .must("useradd -m -s /bin/bash ann; groupadd -U ann,eve pupils; usermod -s /bin/bash eve");
    sandbox.write("/etc/login-jail/config.toml", WEB);
    sandbox.write(
        "/root/state.toml",
        "create = true\n[users.new]\njail = \"web\"\n[users.eve]\njail = \"web\"\n",
    );
    sandbox.must(ODD_BYTES);
    let before = state(&sandbox);
    for command in [
        "setup host-view --user eve --yes",
        "add --jail web --create-accounts eve new",
        "apply /root/state.toml",
    ] {
        let made = sandbox.sh(&format!("jailctl {command}"));
        assert!(made.code() == Some(0) || made.code() == Some(1), "{made}");
        assert!(
            sandbox
                .must("getent passwd eve")
                .ends_with(":/usr/bin/jail-shell")
        );
        // Of the same line, all else is as it was.
        sandbox.must(r#"LC_ALL=C grep -aq "$(printf ':J\374rgen \377:/home')" /etc/passwd"#);
        sandbox.must("jailctl undo --dry-run");
        sandbox.must("jailctl undo");
        assert!(state(&sandbox) == before, "{command}");
    }
}

#[test]
fn links_of_roots_stay_links_and_files_keep_their_attributes() {
    let sandbox = host();
    sandbox.must(
        "mkdir -p /etc/real /etc/ssh/authorized_keys.d; useradd -m -s /bin/bash ann; cd /etc; echo root >real/cron.deny; ln -sf real/cron.deny cron.deny
         chmod 640 real/cron.deny; chown root:daemon real/cron.deny; setfacl -m u:daemon:r real/cron.deny
         ssh-keygen -q -t ed25519 -N '' -f /root/other; cp /root/other.pub real/ann; ln -s ../../real/ann ssh/authorized_keys.d/ann",
    );
    sandbox.write(
        "/root/state.toml",
        "[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n[users.ann]\njail = \"web\"\nkeys = \"/root/key.pub\"\n",
    );
    let before = state(&sandbox);
    for command in [
        "setup host-view --user ann --key /root/key.pub --yes",
        "apply /root/state.toml",
    ] {
        let made = sandbox.sh(&format!("jailctl {command}"));
        assert!(made.code() == Some(0) || made.code() == Some(1), "{made}");
        sandbox.must(
            "cd /etc; test -L cron.deny; test -L ssh/authorized_keys.d/ann; grep -qx ann real/cron.deny; grep -qF \"$(cat /root/key.pub)\" real/ann
             getfacl -p real/cron.deny | grep -qx user:daemon:r--",
        );
        sandbox.must("jailctl undo");
        assert!(state(&sandbox) == before, "{command}");
        sandbox.must("getfacl -p /etc/real/cron.deny | grep -qx user:daemon:r--");
    }
    // Not one of somebody else, nor a file that has another name as well.
    for (odd, why) in [
        ("chown -h eve cron.deny", "is a link that is not root's"),
        ("ln -sf nowhere cron.deny", "follow the link /etc/cron.deny"),
        (
            "rm cron.deny; ln real/cron.deny cron.deny",
            "is one of 2 names",
        ),
    ] {
        sandbox.must(&format!("cd /etc; {odd}"));
        let before = state(&sandbox);
        let said = sandbox.sh("jailctl setup host-view --user ann --key /root/key.pub --yes");
        assert_eq!(said.code(), Some(3), "{odd}: {said}");
        assert!(said.stderr.contains(why), "{odd}: {said}");
        assert!(state(&sandbox) == before, "{odd}");
    }
}

#[test]
fn what_a_killed_rewrite_has_left_goes_with_the_next_one_and_with_undo() {
    let sandbox = host();
    sandbox.write("/etc/login-jail/config.toml", WEB);
    let left = r"cd /etc; sh -c 'exit' & dead=$!; wait
        for file in passwd shadow group gshadow; do
            printf '%s\0' $dead >$file.$dead; : >$file.99999999; echo half >$file+; ln $file.$dead $file.lock
        done
        echo mine >passwd.1; echo mine >group.99999998; touch passwd.bak";
    let add = "jailctl add --jail web --create-accounts new";
    let all = "cd /etc; ls -d passwd* shadow* group* gshadow* | grep -v -- '-$'";
    let kept = sandbox.must(&format!(
        "cd /etc; echo mine >passwd.1; echo mine >group.99999998; touch passwd.bak; {all}"
    ));
    for (first, then) in [("true", add), (add, "jailctl undo")] {
        sandbox.sh(first);
        sandbox.must(left);
        let said = sandbox.sh(then);
        assert!(said.code() == Some(0) || said.code() == Some(1), "{said}");
        assert_eq!(sandbox.must(all), kept, "{then}");
        sandbox.sh("jailctl undo");
    }
    // A full disk.
    sandbox.must(
        "cp -a /etc /root/etc; mount -t tmpfs -o size=64m,mode=755 etc /etc; cp -a /root/etc/. /etc
         mount -o remount,size=$(($(df -k --output=used /etc | tail -1)))k /etc",
    );
    let said = sandbox.sh(add);
    assert_eq!(said.code(), Some(3), "{said}");
    sandbox.sh("jailctl undo");
    assert_eq!(sandbox.must(all), kept, "full: {said}");
}
