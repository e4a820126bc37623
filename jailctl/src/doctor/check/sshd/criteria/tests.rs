use jail::account::identity::Identity;

use super::{Connections, Criterion, MOST, Patterns, asked, combined};

/// The connections for these Match lines, each as `sshd -C` takes it.
fn of(lines: &[&str]) -> Connections {
    let mut patterns = Patterns::default();
    let lists: Vec<_> = lines
        .iter()
        .flat_map(|line| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            asked(&words, &mut patterns).0
        })
        .map(|(criterion, list)| (criterion, list, "f:1".to_owned()))
        .collect();
    combined(&lists, patterns)
}

fn told(lines: &[&str]) -> Vec<String> {
    let connections = of(lines);
    assert_eq!(connections.untried, Vec::<String>::new(), "{lines:?}");
    connections.all.iter().map(|it| it.criteria("a")).collect()
}

#[test]
fn asks_about_one_connection_where_no_block_tells_them_apart() {
    let one = ["user=a,host=localhost,addr=127.0.0.1"];
    assert_eq!(told(&[]), one);
    assert_eq!(told(&["User a Group=b", "all", "invalid-user"]), one);
}

#[test]
fn tries_a_value_for_each_list_and_one_beside_it() {
    for (line, values) in [
        ("Address 127.0.0.2", &["127.0.0.1", "127.0.0.2"][..]),
        ("address=127.0.0.0/8", &["127.0.0.1", "192.0.2.1"]),
        (
            "Address !10.0.0.0/24,10.0.0.0/8",
            &["127.0.0.1", "10.0.1.0"],
        ),
        ("Address 10.*", &["127.0.0.1", "10.1.1.1"]),
        ("Address 2001:db8:1::/48", &["127.0.0.1", "2001:db8:1::"]),
        ("Address 0.0.0.0/0", &["127.0.0.1", "2001:db8::1"]),
        ("Address *", &["127.0.0.1"]),
        ("Address !10.0.0.1", &["127.0.0.1"]),
    ] {
        let expected: Vec<String> = values
            .iter()
            .map(|value| format!("user=a,host=localhost,addr={value}"))
            .collect();
        assert_eq!(told(&[line]), expected, "{line}");
    }
    assert_eq!(
        told(&["User a LocalPort 2222", "Host *.Example.org"]),
        [
            "user=a,host=localhost,addr=127.0.0.1,lport=22",
            "user=a,host=x.example.org,addr=127.0.0.1,lport=22",
            "user=a,host=localhost,addr=127.0.0.1,lport=2222",
            "user=a,host=x.example.org,addr=127.0.0.1,lport=2222",
        ]
    );
}

#[test]
fn says_which_connection_is_not_the_usual_one() {
    let connections = of(&["LocalAddress 10.0.0.1 RDomain red"]);
    let words: Vec<Option<String>> = connections.all.iter().map(|it| it.words()).collect();
    assert_eq!(words[0], None);
    assert_eq!(
        words[3].as_deref(),
        Some("LocalAddress 10.0.0.1, RDomain red")
    );
}

#[test]
fn what_is_left_out_is_said() {
    let many: Vec<String> = (0..8)
        .map(|it| format!("Address 10.0.0.{it} LocalPort 2{it}"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let connections = of(&many);
    assert_eq!(connections.all.len(), MOST);
    assert!(connections.untried[0].contains("were not tried"));
    let none = of(&["Address no-address"]);
    assert!(none.untried[0].contains("nothing was found"));
    let words = ["exec".to_owned(), "true".to_owned()];
    let found = asked(&words, &mut Patterns::default());
    assert_eq!(found, (Vec::new(), vec!["exec".to_owned()]));
}

#[test]
fn an_address_is_in_the_ranges_that_have_it() {
    let lists = |list: &str, value: &str| Criterion::Address.lists(list, value);
    assert!(lists("10.0.0.0/8,!10.1.0.0/16", "10.2.0.1"));
    assert!(!lists("10.0.0.0/8,!10.1.0.0/16", "10.1.0.1"));
    assert!(lists("::/0", "::1") && !lists("::/0", "10.0.0.1"));
    assert!(lists("192.0.2.?", "192.0.2.7") && !lists("192.0.2.?", "192.0.2.77"));
}

#[test]
fn accounts_are_alike_where_the_same_patterns_are_for_them() {
    let lines = [
        "User ann,!b?b",
        "Group=class,*-admins",
        "all",
        "User carl LocalPort 22",
    ];
    let seen = |identity: &Identity| {
        let connections = of(&lines);
        let mut all: Vec<String> = Vec::new();
        all.extend(connections.all.iter().map(|it| it.as_sshd_sees(identity)));
        all
    };
    let with = |name: &str, groups: &[&str]| Identity {
        group_names: groups.iter().map(|it| (*it).into()).collect(),
        ..Identity::example(name, 1000)
    };
    let dan = seen(&with("dan", &["dan"]));
    assert_eq!(dan, seen(&with("eve", &["eve", "others"])));
    for (name, group) in [
        ("ann", "ann"),
        ("bob", "bob"),
        ("carl", "carl"),
        ("eve", "class"),
        ("eve", "web-admins"),
    ] {
        assert_ne!(dan, seen(&with(name, &[group])), "{name} {group}");
    }
    let unnamed = |name| Identity {
        unnamed_group: Some(7),
        ..with(name, &[])
    };
    assert_ne!(seen(&unnamed("dan")), seen(&unnamed("eve")));
}
