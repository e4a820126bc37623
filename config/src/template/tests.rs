use super::*;

fn account<'a>(name: &'a str, home: &'a str) -> Account<'a> {
    Account {
        name: OsStr::new(name),
        uid: 1000,
        gid: 100,
        group: OsStr::new("staff"),
        groups: &[],
        home: Path::new(home),
    }
}

fn filled(template: &str, name: &str, home: &str) -> Result<String, String> {
    let template = Template::parse(template.to_owned()).unwrap();
    let path = template.fill(&account(name, home))?;
    Ok(path.to_str().unwrap().to_owned())
}

fn complaint(template: &str) -> (String, String) {
    let Complaint { message, help } = Template::parse(template.to_owned()).unwrap_err();
    (message, help.unwrap_or_default())
}

#[test]
fn fills_in_every_variable() {
    let all = "/srv/{group}-{gid}/{user}.{uid}/{home}/x";
    let path = filled(all, "ann", "/home/ann");
    assert_eq!(path.as_deref(), Ok("/srv/staff-100/ann.1000/home/ann/x"));
    assert_eq!(filled("/", "ann", "/").as_deref(), Ok("/"));
}

#[test]
fn folds_the_doubled_slashes_of_a_home() {
    for (template, home, path) in [
        ("{home}", "/home/ann/", "/home/ann"),
        ("{home}", "//home//ann", "/home/ann"),
        ("{home}", "/", "/"),
        ("{home}/jail", "/", "/jail"),
        ("{home}/jail", "/home/ann/", "/home/ann/jail"),
        ("/srv/{home}", "/home/ann", "/srv/home/ann"),
        ("/srv{home}", "/home/ann", "/srv/home/ann"),
        ("/srv/{home}", "/", "/srv"),
    ] {
        assert_eq!(
            filled(template, "ann", home).as_deref(),
            Ok(path),
            "{template} {home}"
        );
    }
}

#[test]
fn refuses_a_name_that_leads_elsewhere() {
    for (name, reason) in [
        ("", "{user} is empty"),
        (
            ".",
            "{user} is \".\", which could lead to another directory",
        ),
        (
            "..",
            "{user} is \"..\", which could lead to another directory",
        ),
        (
            "a..b",
            "{user} is \"a..b\", which could lead to another directory",
        ),
        ("a/b", "{user} is \"a/b\", which has a slash"),
        ("a\0", "{user} is \"a\\0\", which has a control character"),
        ("a\n", "{user} is \"a\\n\", which has a control character"),
    ] {
        let expected = Err(reason.to_owned());
        assert_eq!(filled("/srv/{user}", name, "/"), expected, "{name:?}");
    }
    assert_eq!(filled("/srv/{uid}", "..", "/").as_deref(), Ok("/srv/1000"));
}

#[test]
fn refuses_a_group_that_leads_elsewhere() {
    let template = Template::parse("/srv/{group}".to_owned()).unwrap();
    let account = Account {
        group: OsStr::new("a/b"),
        ..account("ann", "/")
    };
    let reason = template.fill(&account).unwrap_err();
    assert_eq!(reason, "{group} is \"a/b\", which has a slash");
}

#[test]
fn refuses_a_home_that_is_relative_or_leads_elsewhere() {
    for (home, reason) in [
        ("", "{home} is \"\", which is not an absolute path"),
        (
            "home/ann",
            "{home} is \"home/ann\", which is not an absolute path",
        ),
        (
            "/home/../etc",
            "{home} is \"/home/../etc\", which could lead to another directory",
        ),
        (
            "/home/.",
            "{home} is \"/home/.\", which could lead to another directory",
        ),
        (
            "/a\nb",
            "{home} is \"/a\\nb\", which has a control character",
        ),
    ] {
        let expected = Err(reason.to_owned());
        assert_eq!(filled("{home}", "ann", home), expected, "{home:?}");
    }
}

#[test]
fn refuses_pieces_that_lead_elsewhere_together() {
    let expected = "it becomes \"/srv/../home\", which could lead to another directory";
    assert_eq!(
        filled("/srv/..{home}", "x", "/home"),
        Err(expected.to_owned())
    );
}

#[test]
fn takes_names_that_are_not_utf_8() {
    let template = Template::parse("/srv/{user}".to_owned()).unwrap();
    let account = Account {
        name: OsStr::from_bytes(b"J\xfcrgen"),
        ..account("", "/")
    };
    let path = template.fill(&account).unwrap();
    assert_eq!(path.as_os_str().as_bytes(), b"/srv/J\xfcrgen");
}

#[test]
fn refuses_unknown_variables_with_a_suggestion() {
    for (template, message, help) in [
        ("/{usr}", "unknown variable {usr}", "did you mean {user}?"),
        ("/{HOME}", "unknown variable {HOME}", "did you mean {home}?"),
        ("/{shell}", "unknown variable {shell}", VARIABLES_HELP),
        ("/{}", "unknown variable {}", VARIABLES_HELP),
    ] {
        assert_eq!(complaint(template), (message.to_owned(), help.to_owned()));
    }
}

#[test]
fn refuses_stray_braces() {
    for (template, message) in [
        ("/srv/{user", "a { opens no variable"),
        ("/srv/{{user}}", "a { opens no variable"),
        ("/srv/{a/b}", "a { opens no variable"),
        ("/srv/user}", "a } closes no variable"),
        ("/srv/{user}}", "a } closes no variable"),
    ] {
        let expected = (message.to_owned(), VARIABLES_HELP.to_owned());
        assert_eq!(complaint(template), expected, "{template}");
    }
}

#[test]
fn refuses_what_is_not_absolute() {
    for template in ["", "srv", "{user}/x", "./x", "x{home}"] {
        let expected = (
            format!("{template:?} is not an absolute path"),
            "begin it with / or {home}".to_owned(),
        );
        assert_eq!(complaint(template), expected);
    }
}

#[test]
fn refuses_components_that_lead_elsewhere() {
    for (template, component) in [
        ("/srv/../x", ".."),
        ("/srv/..", ".."),
        ("/..", ".."),
        ("/./srv", "."),
        ("{home}/..", ".."),
    ] {
        let expected = (
            format!("{template:?} has a {component:?} component"),
            "write the path without it".to_owned(),
        );
        assert_eq!(complaint(template), expected);
    }
}

#[test]
fn refuses_empty_components_and_control_characters() {
    for (template, clean) in [
        ("/srv//x", "/srv/x"),
        ("/srv/", "/srv"),
        ("//", "/"),
        ("{home}//x", "{home}/x"),
    ] {
        let expected = (
            format!("{template:?} has a slash too many"),
            format!("write {clean:?}"),
        );
        assert_eq!(complaint(template), expected);
    }
    for template in ["/a\0", "/a\n"] {
        let expected = (
            format!("{template:?} has a control character"),
            String::new(),
        );
        assert_eq!(complaint(template), expected);
    }
}
