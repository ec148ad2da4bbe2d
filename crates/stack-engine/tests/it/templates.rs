//! Chat templates against Jinja2 itself, set up as transformers sets it up: generated anew for each run.

use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output};

use jiff::Zoned;
use serde_json::Value;
use stack_engine::template::ChatTemplate;

/// The seed and the number of cases; `STACK_TEMPLATE_CASES="2 20000"` tries others.
const CASES: &str = "1 6000";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "CI says which interpreter has Jinja2, and developers which cases to try"
)]
fn generated_templates_render_as_in_jinja2() {
    let python = env::var("STACK_E2E_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let version =
        Command::new(&python).args(["-c", "import jinja2; assert jinja2.__version__ >= '3.1.6'"]).output();
    if !version.as_ref().is_ok_and(|output| output.status.success()) {
        assert!(env::var("CI").is_err(), "CI compares templates, but {python} lacks Jinja2: {version:?}");
        // Not `eprintln!`: the harness hides what a passing test prints, and a skipped one should be seen.
        let hint = "pip install -r tests/python/requirements.txt";
        writeln!(io::stderr(), "SKIPPED: templates against Jinja2: {python} lacks it (try `{hint}`)")
            .unwrap();
        return;
    }
    let cases = env::var("STACK_TEMPLATE_CASES").unwrap_or_else(|_| CASES.to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/template_cases.py");
    let output = Command::new(&python).arg("-B").arg(script).args(cases.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let generated: Value = serde_json::from_slice(&output.stdout).unwrap();

    let variables = generated["variables"].as_object().unwrap();
    let now: Zoned = "2025-07-06T23:30:05.001234+00:00[UTC]".parse().unwrap();
    let mut wrong = Vec::new();
    let all = generated["cases"].as_array().unwrap();
    for case in all {
        let (template, expected) = (case[0].as_str().unwrap(), case[1].as_str());
        let rendered = ChatTemplate::compile(template)
            .and_then(|compiled| compiled.render_json(variables.clone(), &now));
        if rendered.as_deref().ok() != expected {
            wrong.push(format!("{template}\n  gives {rendered:?}\n  not   {expected:?}"));
        }
    }
    assert!(all.len() >= 5000 || cases != CASES);
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
