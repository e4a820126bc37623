use std::ffi::OsStr;

use super::{SHOWN, fits};

#[test]
fn a_star_stands_for_any_letters_of_one_name() {
    let fits = |pattern: &str, name: &str| fits(OsStr::new(pattern), OsStr::new(name));
    for (pattern, name) in [
        ("php", "php"),
        ("java-*", "java-21-openjdk"),
        ("python3*", "python3"),
        ("*", "8.2"),
        ("a*b", "ab"),
    ] {
        assert!(fits(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in [
        ("php", "php5"),
        ("java-*", "java"),
        ("a*ab", "ab"),
        ("a*b", "abc"),
    ] {
        assert!(!fits(pattern, name), "{pattern} {name}");
    }
}

#[test]
fn the_list_is_in_order_and_names_nothing_twice() {
    assert!(SHOWN.is_sorted(), "{SHOWN:?}");
    for name in SHOWN {
        let mut others = SHOWN.iter();
        let above = others.find(|other| name.starts_with(&format!("{other}/")));
        assert_eq!(above, None, "{name}");
    }
}
