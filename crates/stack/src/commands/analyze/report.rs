//! How an analysis is shown.

use serde_json::{Value, json};
use stack_insight::analyze::dependencies::Dependencies;
use stack_insight::analyze::{Analysis, LanguageCount};

use crate::error::CommandError;
use crate::terminal::output::{Data, sanitize};

/// A part of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Languages,
    Dependencies,
    Score,
    Egress,
    Advice,
}

/// Shows it to people.
pub(super) fn print(analysis: &Analysis, sections: &[Section], data: &mut Data) -> Result<(), CommandError> {
    let mut lines = Vec::new();
    for section in sections {
        match section {
            Section::Languages => languages(analysis, &mut lines),
            Section::Dependencies => dependencies(analysis, &mut lines),
            Section::Score => score(analysis, &mut lines),
            Section::Egress => egress(analysis, &mut lines),
            Section::Advice => advice(analysis, &mut lines),
        }
    }
    for (path, problem) in &analysis.problems {
        lines.push(format!("note: {}: {problem}", path.display()));
    }
    lines.iter().try_for_each(|line| data.line(&sanitize(line)))
}

fn languages(analysis: &Analysis, lines: &mut Vec<String>) {
    let primary = analysis.primary_language().map_or("none", |language| language.name);
    lines.push(format!("Primary language: {primary}"));
    for found in &analysis.languages {
        let LanguageCount { language, files, lines: count } = found;
        let files = counted(*files, "file", "files");
        let filled = counted(count.filled(), "line", "lines");
        lines.push(format!("  {} {files}, {filled} ({:.1} %)", language.name, share(analysis, found)));
    }
}

fn dependencies(analysis: &Analysis, lines: &mut Vec<String>) {
    lines.push(
        if analysis.dependencies.is_empty() { "Dependencies: none" } else { "Dependencies:" }.to_owned(),
    );
    for Dependencies { manager, count, frameworks, is_unlocked, .. } in &analysis.dependencies {
        let mut line = format!("  {} ({})", manager.name(), counted(*count as u64, "package", "packages"));
        for (field, names) in frameworks {
            line.extend([", ", field.name(), ": ", &names.join(", ")]);
        }
        if *is_unlocked {
            line.push_str(", without a lock file");
        }
        lines.push(line);
    }
}

fn score(analysis: &Analysis, lines: &mut Vec<String>) {
    let score = &analysis.score;
    lines.push(format!("Score: {:.1}/100 ({})", score.points, score.grade().name()));
    for deduction in &score.deductions {
        lines.push(format!("  −{:.1} {}", deduction.points, deduction.reason));
    }
}

fn egress(analysis: &Analysis, lines: &mut Vec<String>) {
    let findings = &analysis.egress;
    lines.push(if findings.is_empty() { "Calls to models: none" } else { "Calls to models:" }.to_owned());
    for found in findings {
        lines.push(format!(
            "  {}:{} {} {} ({}) needs {}",
            found.path.display(),
            found.line,
            found.clue.name(),
            found.what,
            found.provider,
            found.tier.name()
        ));
    }
}

fn advice(analysis: &Analysis, lines: &mut Vec<String>) {
    if !analysis.advice.is_empty() {
        lines.push("Advice:".to_owned());
    }
    for advice in &analysis.advice {
        lines.push(format!("  {}: {}", advice.found, advice.text));
        lines.extend(advice.commands.iter().map(|command| format!("    {command}")));
    }
}

/// Shows it to programs.
pub(super) fn to_json(analysis: &Analysis, sections: &[Section]) -> Value {
    let mut report = json!({"primary_language": analysis.primary_language().map(|language| language.name)});
    for section in sections {
        let (key, value) = match section {
            Section::Languages => {
                ("languages", analysis.languages.iter().map(|found| language_json(analysis, found)).collect())
            }
            Section::Dependencies => {
                ("dependencies", analysis.dependencies.iter().map(dependencies_json).collect())
            }
            Section::Score => ("score", score_json(analysis)),
            Section::Egress => ("egress", egress_json(analysis)),
            Section::Advice => ("advice", advice_json(analysis)),
        };
        report[key] = value;
    }
    let problem = |(path, problem): &(std::path::PathBuf, String)| json!({"path": path.display().to_string(), "problem": problem});
    report["problems"] = analysis.problems.iter().map(problem).collect();
    report
}

fn language_json(analysis: &Analysis, found: &LanguageCount) -> Value {
    json!({
        "name": found.language.name,
        "files": found.files,
        "lines": found.lines.filled(),
        "code": found.lines.code,
        "comments": found.lines.comments,
        "blank": found.lines.blank,
        "share": (share(analysis, found) * 10.0).round() / 10.0,
    })
}

fn dependencies_json(found: &Dependencies) -> Value {
    let frameworks: serde_json::Map<String, Value> =
        found.frameworks.iter().map(|(field, names)| (field.name().to_owned(), json!(names))).collect();
    json!({
        "manager": found.manager.name(),
        "packages": found.count,
        "files": found.files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "locked": !found.is_unlocked,
        "frameworks": frameworks,
    })
}

fn score_json(analysis: &Analysis) -> Value {
    let score = &analysis.score;
    let deductions =
        score.deductions.iter().map(|found| json!({"points": found.points, "reason": found.reason}));
    json!({"points": score.points, "grade": score.grade().name(), "deductions": deductions.collect::<Vec<_>>()})
}

fn egress_json(analysis: &Analysis) -> Value {
    let finding = |found: &stack_insight::analyze::Finding| {
        json!({
            "path": found.path.display().to_string(),
            "line": found.line,
            "clue": found.clue.name(),
            "what": found.what,
            "provider": found.provider,
            "tier": found.tier.name(),
        })
    };
    analysis.egress.iter().map(finding).collect()
}

fn advice_json(analysis: &Analysis) -> Value {
    let told = analysis.advice.iter();
    told.map(|advice| json!({"found": advice.found, "text": advice.text, "commands": advice.commands}))
        .collect()
}

fn share(analysis: &Analysis, found: &LanguageCount) -> f64 {
    found.lines.filled() as f64 * 100.0 / (analysis.filled_lines() as f64).max(1.0)
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
