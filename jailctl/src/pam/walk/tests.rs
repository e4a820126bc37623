use std::path::Path;

use super::{asks_about_root, reaches, skips};
use crate::pam::stack::{Line, Role, parse};

/// Makes a stack of lines without their `session`, divided by `;`. Lines of a substack begin with `>`.
fn stack(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, text) in (1..).zip(text.split(';').map(str::trim)) {
        let level = text.chars().take_while(|it| *it == '>').count();
        let rule = format!("session {}", text.trim_start_matches('>'));
        let line = parse(Path::new("f"), number, &rule);
        let is_marker = line.control == "substack";
        lines.push(Line {
            level,
            role: if is_marker { Role::Substack } else { line.role },
            ..line
        });
    }
    lines
}

fn skipping(text: &str, forgives: bool) -> Vec<String> {
    let stack = stack(text);
    skips(&stack, "session", forgives)
        .iter()
        .map(|skip| format!("{} {} {}", skip.line.number, skip.results[0], skip.instead))
        .collect()
}

#[test]
fn finds_the_lines_that_lead_past_the_module() {
    for (text, found) in [
        (
            "sufficient a.so; required pam_jail.so",
            "1 success optional",
        ),
        (
            "[success=done default=bad] a.so; required pam_jail.so",
            "1 success required",
        ),
        // What comes behind the jump makes it a success.
        (
            "[success=1 default=ignore] a.so; required pam_jail.so; optional b.so",
            "1 success optional",
        ),
        (
            "required a.so; [success=2 default=ignore] b.so; required c.so; required pam_jail.so",
            "2 success optional",
        ),
        (
            "required a.so; [default=1] b.so; required pam_jail.so",
            "2 success optional",
        ),
        // A substack is one line in a jump.
        (
            "required a.so; [default=2] b.so; substack s; >required c.so; >required d.so; required pam_jail.so",
            "2 success optional",
        ),
        (
            "required a.so; [default=1] b.so; substack s; >required c.so; >required pam_jail.so",
            "2 success optional",
        ),
        // reset forgets that something was bad.
        (
            "substack s; >required a.so; >[default=5] b.so; >required pam_jail.so; [default=reset] c.so; required d.so",
            "3 success optional",
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so use_uid uid = 0; required pam_jail.so; required a.so",
            "1 success optional",
        ),
        (
            "required a.so; [default=1] pam_succeed_if.so quiet uid = 0; required pam_jail.so",
            "2 open_err optional",
        ),
        // It may be that nothing has succeeded, and nobody gets in: that is not looked at.
        (
            "[default=1] a.so; required pam_jail.so",
            "1 success optional",
        ),
        // A module that returns ignore leaves the success of the one before.
        (
            "required a.so; [ignore=done default=bad] b.so; required pam_jail.so",
            "2 ignore required",
        ),
    ] {
        assert_eq!(skipping(text, false), [found], "{text}");
    }
}

#[test]
fn root_is_shut_out_where_no_line_leads_root_past_the_module() {
    for (text, asked) in [
        ("required a.so; required pam_jail.so", true),
        (
            "[success=1 default=ignore] pam_succeed_if.so quiet uid = 0; required pam_jail.so",
            false,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so uid eq 0; required pam_jail.so",
            false,
        ),
        (
            "sufficient pam_succeed_if.so uid = 0; required a.so; required pam_jail.so",
            false,
        ),
        // These are about root in other words, which are not understood.
        (
            "[success=ignore default=1] pam_succeed_if.so uid > 0; required pam_jail.so",
            true,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so uid < 1; required pam_jail.so",
            true,
        ),
        // These say uid = 0 as well.
        (
            "required pam_succeed_if.so uid = 0; required pam_jail.so",
            true,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so use_uid uid = 0; required pam_jail.so",
            true,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so uid = 0 user = toor; required pam_jail.so",
            true,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so uid = 0; required a.so; required pam_jail.so",
            true,
        ),
        (
            "[success=1 default=ignore] pam_succeed_if.so gid = 0; required pam_jail.so",
            true,
        ),
    ] {
        assert_eq!(asks_about_root(&stack(text), "session"), asked, "{text}");
    }
}

#[test]
fn finds_no_line_that_leads_nowhere_else() {
    for text in [
        "required a.so; requisite b.so; optional c.so; [default=die] d.so; required pam_jail.so",
        "required a.so; [success=1 default=ignore] pam_succeed_if.so quiet uid = 0; required pam_jail.so",
        "sufficient pam_succeed_if.so uid = 0; required pam_jail.so",
        // As Debian has it.
        "[default=1] pam_permit.so; requisite pam_deny.so; required pam_permit.so; required pam_jail.so",
        // The end of a substack is not that of the stack.
        "substack s; >sufficient a.so; required pam_jail.so",
        "required a.so; substack s; >[default=1] b.so; required pam_jail.so",
        // Something failed before.
        "required pam_deny.so; sufficient a.so; required pam_jail.so",
        // A jump over more lines than there are.
        "required a.so; [default=2] b.so; required pam_jail.so",
        "[success=done default=ignore] pam_deny.so; required pam_jail.so",
        "[auth_err=done default=bad] a.so; required pam_jail.so",
        "[success=0 default=done] a.so; required pam_jail.so",
        "required; required pam_jail.so",
    ] {
        assert!(skipping(text, false).is_empty(), "{text}");
    }
}

#[test]
fn comes_to_a_line_unless_the_ones_before_lead_past_it_for_sure() {
    let comes = |text: &str, known: Option<&'static str>| {
        let is_target = |line: &Line| line.module == "t.so";
        let known = |line: &Line| known.filter(|_| line.module == "k.so");
        reaches(&stack(text), "session", is_target, known)
    };
    let skip = "required a.so; [success=1 default=ignore] k.so; optional t.so";
    assert!(!comes(skip, Some("success")));
    assert!(comes(skip, Some("auth_err")) && comes(skip, None));
    assert!(!comes("sufficient k.so; optional t.so", Some("success")));
    assert!(!comes("[default=1] pam_permit.so; optional t.so", None));
    assert!(!comes("required pam_jail.so; optional t.so", None));
    let debian =
        "[default=1] pam_permit.so; requisite pam_deny.so; required pam_permit.so; optional t.so";
    assert!(comes(debian, None));
    let inside = "substack s; >sufficient k.so; >required a.so; optional t.so";
    assert!(comes(inside, Some("success")));
}

#[test]
fn a_failure_after_which_sudo_goes_on_is_a_way_past() {
    let text =
        "[default=1] pam_permit.so; requisite pam_deny.so; requisite a.so; required pam_jail.so";
    assert_eq!(skipping(text, true), ["3 open_err required"]);
}
