use std::{ffi::OsStr, os::unix::ffi::OsStrExt, process::Command};

use super::{NotWords, Special, quoted, split};

fn words(line: &str) -> Vec<String> {
    let words = split(OsStr::new(line)).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    let words = words.into_iter().map(|word| word.into_string().unwrap());
    words.collect()
}

fn fault(line: &str) -> (String, Special) {
    let NotWords { word, what } = split(OsStr::new(line)).expect_err(line);
    (word.into_string().unwrap(), what)
}

/// Lines that are nothing but words, and the words.
const PLAIN: &[(&str, &[&str])] = &[
    ("", &[]),
    (" \t\n ", &[]),
    ("a", &["a"]),
    ("  a \t b\t", &["a", "b"]),
    ("\n a b \n\n", &["a", "b"]),
    ("'a b' c", &["a b", "c"]),
    ("a'b'\"c\"\\d", &["abcd"]),
    ("''", &[""]),
    ("a '' \"\" b", &["a", "", "", "b"]),
    ("\"a  b\"", &["a  b"]),
    ("\"\\$ \\` \\\" \\\\ \\a \\ \"", &["$ ` \" \\ \\a \\ "]),
    ("'\\' '$(id)`;|'", &["\\", "$(id)`;|"]),
    ("a\\ b \\\\ \\' \\\"", &["a b", "\\", "'", "\""]),
    ("\\$HOME \\*", &["$HOME", "*"]),
    ("a\\\nb c\\\n d", &["ab", "c", "d"]),
    ("\"a\\\nb\"", &["ab"]),
    ("\\\n", &[]),
    ("'it'\\''s'", &["it's"]),
    ("'a\nb'", &["a\nb"]),
    ("a#b c#", &["a#b", "c#"]),
    ("'#' b \\#c", &["#", "b", "#c"]),
    ("a~ b/~ c:~d \\~ '~'", &["a~", "b/~", "c:~d", "~", "~"]),
    ("a B=c --d=e", &["a", "B=c", "--d=e"]),
    ("'A'=b", &["A=b"]),
    ("1=b", &["1=b"]),
    ("echo if then", &["echo", "if", "then"]),
    ("'if' \\then", &["if", "then"]),
    ("iffy", &["iffy"]),
    (
        "rsync --server -vlogDtpre.iLsfxCIvu . /a\\ b",
        &["rsync", "--server", "-vlogDtpre.iLsfxCIvu", ".", "/a b"],
    ),
    (
        "git-upload-pack '/it'\\''s.git'",
        &["git-upload-pack", "/it's.git"],
    ),
    (
        "/usr/lib//openssh/sftp-server\t-l  INFO",
        &["/usr/lib//openssh/sftp-server", "-l", "INFO"],
    ),
];

#[test]
fn words_are_split_and_quotes_are_taken_off() {
    for (line, expected) in PLAIN {
        assert_eq!(words(line), *expected, "{line:?}");
    }
}

#[test]
fn the_hosts_own_shell_makes_the_same_words() {
    for (line, expected) in PLAIN {
        if line.trim().is_empty() || *line == "\\\n" {
            continue;
        }
        let script = format!(
            "words() {{ for word; do printf '<%s>' \"$word\"; done; }}\nwords {}",
            line.trim_start()
        );
        let output = Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let shown: String = expected.iter().map(|word| format!("<{word}>")).collect();
        // An assignment or a reserved word is none behind a command.
        assert_eq!(String::from_utf8_lossy(&output.stdout), shown, "{line:?}");
    }
}

#[test]
fn a_quoted_word_is_the_same_word_again() {
    for word in [
        "a", "", "a b", "it's", "$x", "~", "A=b", "''", "a\nb", "#", "\\",
    ] {
        let line = quoted(OsStr::new(word));
        assert_eq!(split(&line).unwrap(), [word], "{line:?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_kept() {
    let line = OsStr::from_bytes(b"a\xff 'b\x80'");
    let expected = [OsStr::from_bytes(b"a\xff"), OsStr::from_bytes(b"b\x80")];
    assert_eq!(split(line).unwrap(), expected);
}

#[test]
fn what_a_shell_would_act_on_is_refused_with_its_word() {
    for (line, word, special) in [
        ("a; b", "a;", ';'),
        ("a b|c d", "b|c", '|'),
        ("a && b", "&&", '&'),
        ("a >b", ">b", '>'),
        ("a 2>&1", "2>&1", '>'),
        ("a <b", "<b", '<'),
        ("(a)", "(a)", '('),
        ("a)", "a)", ')'),
        ("a $HOME b", "$HOME", '$'),
        ("a \"x $HOME\" b", "\"x $HOME\"", '$'),
        ("$'a'", "$'a'", '$'),
        ("a `id`", "`id`", '`'),
        ("a \"`id`\"", "\"`id`\"", '`'),
        ("a *.c", "*.c", '*'),
        ("a b?", "b?", '?'),
        ("a [b]", "[b]", '['),
        ("a {b,c}", "{b,c}", '{'),
        ("a }", "}", '}'),
        ("a #b", "#b", '#'),
        ("a ~", "~", '~'),
        ("a ~b/c", "~b/c", '~'),
        ("a b=~", "b=~", '~'),
        ("a b=c:~d", "b=c:~d", '~'),
        ("a\nb", "a", '\n'),
        ("a b\n c", "b", '\n'),
    ] {
        let expected = (word.to_owned(), Special::Character(special));
        assert_eq!(fault(line), expected, "{line:?}");
    }
}

#[test]
fn what_is_not_finished_is_refused() {
    assert_eq!(
        fault("a 'b c"),
        ("'b c".to_owned(), Special::OpenQuote('\''))
    );
    assert_eq!(fault("a \"b"), ("\"b".to_owned(), Special::OpenQuote('"')));
    assert_eq!(
        fault("a \"b\\"),
        ("\"b\\".to_owned(), Special::OpenQuote('"'))
    );
    assert_eq!(fault("a b\\"), ("b\\".to_owned(), Special::LastBackslash));
}

#[test]
fn what_is_no_command_is_refused_where_a_command_begins() {
    for line in ["A=b", "A=b c", "_a1= c", " A=\"b c\" d"] {
        assert_eq!(fault(line).1, Special::Assignment, "{line:?}");
    }
    for line in ["if true", "! a", "time a", "\n while"] {
        assert_eq!(fault(line).1, Special::Reserved, "{line:?}");
    }
    assert_eq!(fault("{ a").1, Special::Character('{'));
}

#[test]
fn an_error_says_what_to_do() {
    let said = |line: &str| split(OsStr::new(line)).unwrap_err().to_string();
    assert_eq!(
        said("a $HOME"),
        "a shell would act on the $ in \"$HOME\"; quote it"
    );
    assert_eq!(said("a 'b"), "the ' in \"'b\" is not closed");
    assert_eq!(said("A=b c"), "a shell would set the variable in \"A=b\"");
}
