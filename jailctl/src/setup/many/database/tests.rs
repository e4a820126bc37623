//! What becomes of the texts of the four files, and that it goes byte for byte.

use super::{Account, Aging, Files, Group, Rewrite, Shell};

fn files() -> Files {
    Files {
        passwd: "root:x:0:0::/root:/bin/bash\nbob:x:1000:1000::/home/bob:/bin/bash\n+nis::::::\n"
            .to_owned(),
        shadow: "root:*:1::::::\nbob:!:1::::::\n".to_owned(),
        group: "root:x:0:\nbob:x:1000:\nstaff:x:50:root\n".to_owned(),
        gshadow: Some("root:*::\nbob:!::\nstaff:!::root\n".to_owned()),
    }
}

fn rewrite() -> Rewrite {
    let account = |name: &str, id| Account {
        name: name.to_owned(),
        uid: id,
        gid: id,
        comment: String::new(),
        home: format!("/home/{name}"),
    };
    Rewrite {
        groups: vec![Group {
            name: "class".to_owned(),
            gid: 2000,
        }],
        accounts: vec![account("ann", 1001), account("cid", 1002)],
        members: [
            ("class".to_owned(), vec!["ann".to_owned(), "bob".to_owned()]),
            ("staff".to_owned(), vec!["cid".to_owned()]),
        ]
        .into(),
        shells: vec![Shell {
            user: "bob".to_owned(),
            before: "/bin/bash".to_owned(),
        }],
        uids: [("bob".to_owned(), 1000)].into(),
    }
}

#[test]
fn an_account_of_the_same_name_and_another_number_keeps_what_it_has() {
    let mut made = rewrite().made_in(&files(), aging()).unwrap();
    made.passwd = made.passwd.replace("bob:x:1000:", "bob:x:2222:");
    let (back, left) = rewrite().taken_back_in(&made);
    assert!(
        back.passwd
            .contains("bob:x:2222:1000::/home/bob:/usr/bin/jail-shell"),
        "{}",
        back.passwd
    );
    assert!(back.group.contains("class:x:2000:bob\n"), "{}", back.group);
    assert_eq!(left.others, ["bob"]);
}

fn aging() -> Aging {
    Aging {
        today: 20_000,
        least: 0,
        most: 99_999,
        warning: 7,
    }
}

#[test]
fn all_accounts_come_in_at_once_and_go_byte_for_byte() {
    let made = rewrite().made_in(&files(), aging()).unwrap();
    assert!(made.passwd.ends_with(
        "bob:x:1000:1000::/home/bob:/usr/bin/jail-shell\nann:x:1001:1001::/home/ann:/usr/bin/jail-shell\ncid:x:1002:1002::/home/cid:/usr/bin/jail-shell\n+nis::::::\n"
    ), "{}", made.passwd);
    assert!(made.shadow.ends_with("cid:*:20000:0:99999:7:::\n"));
    assert_eq!(
        made.group,
        "root:x:0:\nbob:x:1000:\nstaff:x:50:root,cid\nclass:x:2000:ann,bob\nann:x:1001:\ncid:x:1002:\n"
    );
    assert!(
        made.gshadow
            .as_deref()
            .unwrap()
            .contains("class:!::ann,bob\n")
    );
    let (back, left) = rewrite().taken_back_in(&made);
    assert_eq!(back, files());
    assert_eq!((left.removed, left.shells, left.groups.len()), (2, 1, 0));
}

#[test]
fn what_others_have_done_since_stays() {
    let mut made = rewrite().made_in(&files(), aging()).unwrap();
    made.group = made
        .group
        .replace("class:x:2000:ann,bob", "class:x:2000:ann,bob,eve");
    made.passwd = made.passwd.replace(
        "1000::/home/bob:/usr/bin/jail-shell",
        "1000::/home/bob:/bin/zsh",
    );
    let (back, left) = rewrite().taken_back_in(&made);
    assert!(back.group.contains("class:x:2000:eve\n"), "{}", back.group);
    assert!(back.passwd.contains("/home/bob:/bin/zsh\n"));
    assert_eq!(left.groups, ["class"]);
}

#[test]
fn a_rewrite_that_was_stopped_between_two_files_is_taken_back() {
    let made = rewrite().made_in(&files(), aging()).unwrap();
    for n in 0..4 {
        let mut half = files();
        for (at, (half, made)) in [
            (&mut half.group, &made.group),
            (
                half.gshadow.as_mut().unwrap(),
                made.gshadow.as_ref().unwrap(),
            ),
            (&mut half.shadow, &made.shadow),
            (&mut half.passwd, &made.passwd),
        ]
        .into_iter()
        .enumerate()
        {
            if at <= n {
                half.clone_from(made);
            }
        }
        assert_eq!(rewrite().taken_back_in(&half).0, files(), "{n}");
    }
}

#[test]
fn an_id_that_was_taken_meanwhile_is_refused() {
    let mut taken = files();
    taken.passwd.push_str("eve:x:1002:9::/:/bin/sh\n");
    assert!(rewrite().made_in(&taken, aging()).is_err());
    let mut taken = files();
    taken.group.push_str("eve:x:2000:\n");
    assert!(rewrite().made_in(&taken, aging()).is_err());
    let mut taken = files();
    taken.shadow.push_str("ann:!:::::::\n");
    assert!(rewrite().made_in(&taken, aging()).is_err());
}
