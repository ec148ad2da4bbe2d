//! Help and completions.

use crate::stack::stack;

const COMMANDS: [&str; 19] = [
    "run",
    "serve",
    "list",
    "show",
    "rm",
    "gc",
    "export",
    "import",
    "adopt",
    "tokenize",
    "render",
    "logits",
    "bench",
    "keygen",
    "sign",
    "verify",
    "trust",
    "doctor",
    "completions",
];

#[test]
fn every_command_explains_itself() {
    let overview = stack(&["--help"]).output();
    for command in COMMANDS {
        assert!(overview.contains(&format!("\n  {command} ")), "{command} is not in:\n{overview}");
        let help = stack(&[command, "--help"]).output();
        assert!(help.contains(&format!("Usage: stack {command}")), "{help}");
    }
}

#[test]
fn every_reading_command_speaks_json() {
    for command in
        ["run", "show", "tokenize", "render", "logits", "bench", "doctor", "keygen", "sign", "verify"]
    {
        assert!(stack(&[command, "--help"]).output().contains("--json"), "{command}");
    }
}

#[test]
fn the_version_names_the_commit() {
    let version = stack(&["--version"]).output();
    assert!(version.starts_with(concat!("stack ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stack(&["completions", shell]).output().contains("tokenize"), "{shell}");
    }
    stack(&["completions", "tcsh"]).fails(2, &["tcsh"]);
}
