use std::fs;
use std::path::Path;

use super::*;

/// Writes files below a folder.
fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Analyses a folder with these files.
fn analyzed(files: &[(&str, &str)]) -> Analysis {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    analyze(folder.path(), Scan::WithEgress).unwrap()
}

/// Names the languages with files and lines.
fn languages(analysis: &Analysis) -> Vec<(&str, u64, u64)> {
    analysis.languages.iter().map(|found| (found.language.name, found.files, found.lines.filled())).collect()
}

#[test]
fn files_and_lines_that_are_not_empty_are_counted() {
    let lines = "x = 1\n\n".repeat(40);
    let analysis =
        analyzed(&[("a.py", &lines), ("b.py", &lines), ("c.py", &lines), ("d.sh", &"ls\n".repeat(30))]);
    assert_eq!(languages(&analysis), [("Python", 3, 120), ("Shell", 1, 30)]);
    assert_eq!(analysis.filled_lines(), 150);
    assert_eq!(analysis.primary_language().unwrap().name, "Python");
}

#[test]
fn folders_of_tools_are_skipped_below_the_root_only() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("build/target");
    write(
        &root,
        &[("a.py", "x\n"), ("node_modules/b.js", "x\n"), ("lib/build/c.py", "x\n"), (".venv/d.py", "x\n")],
    );
    let analysis = analyze(&root, Scan::CountOnly).unwrap();
    assert_eq!(languages(&analysis), [("Python", 1, 1)]);
}

#[test]
fn ignored_files_and_links_are_skipped() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), &[("secret.py", "x\n")]);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[("a.py", "x\n"), ("made.py", "x\n"), (".ignore", "made.py\n")]);
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.py"), folder.path().join("link.py")).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("circle")).unwrap();
    assert_eq!(languages(&analyze(folder.path(), Scan::CountOnly).unwrap()), [("Python", 1, 1)]);
}

#[test]
fn a_bare_script_loses_four_times() {
    let score = analyzed(&[("a.py", "print(1)\n")]).score;
    let reasons: Vec<&str> = score.deductions.iter().map(|deduction| deduction.reason.as_str()).collect();
    assert_eq!(reasons, ["no tests", "no README", "no CI", "no licence"]);
    assert_eq!((score.points, score.grade()), (75.0, Grade::B));
}

#[test]
fn a_repository_that_has_everything_loses_nothing() {
    let files = [
        ("a.py", "print(1)\n"),
        ("tests/test_a.py", "assert True\n"),
        ("README.md", "# a\n"),
        ("LICENSE", "MIT\n"),
        (".github/workflows/ci.yml", "on: push\n"),
        ("requirements.txt", "a==1\n"),
    ];
    assert_eq!(analyzed(&files).score, Score { points: 100.0, deductions: Vec::new() });
}

#[test]
fn long_files_and_what_is_left_to_do_are_deducted_by_their_share() {
    let long = "x = 1\n".repeat(750);
    let short = "y = 1  # TODO\n".repeat(2) + &"y = 1\n".repeat(248);
    let score = analyzed(&[("a.py", &long), ("b.py", &short)]).score;
    let told: Vec<(f64, &str)> = score
        .deductions
        .iter()
        .skip(4)
        .map(|deduction| (deduction.points, deduction.reason.as_str()))
        .collect();
    let expected =
        [(11.3, "75 % of the lines are in files over 500 lines"), (2.0, "2.0 TODO and FIXME in 1000 lines")];
    assert_eq!(told, expected);
}

#[test]
fn forty_two_requirements_with_torch_are_a_framework() {
    let text =
        (0..41).map(|number| format!("package{number}\n")).collect::<Vec<_>>().concat() + "torch>=2.0\n";
    let analysis = analyzed(&[("requirements.txt", &text)]);
    let [found] = analysis.dependencies.as_slice() else { panic!("{:?}", analysis.dependencies) };
    assert_eq!((found.manager.name(), found.count), ("pip", 42));
    assert_eq!(found.frameworks, [(dependencies::Field::MachineLearning, vec!["torch".to_owned()])]);
    assert!(analysis.advice.iter().any(|advice| advice.commands.contains(&"stack serve MODEL")));
}

#[test]
fn a_client_of_openai_is_told_the_address_of_the_server() {
    let analysis = analyzed(&[("a.py", "import openai\n")]);
    let advice: Vec<&str> = analysis.advice.iter().map(|advice| advice.text).collect();
    assert_eq!(advice[0], "set OPENAI_BASE_URL=http://127.0.0.1:8084/v1");
    assert_eq!(analysis.egress[0].line, 1);
}

#[test]
fn what_cannot_be_read_is_listed_and_no_end() {
    let analysis = analyzed(&[("a.py", "x\n"), ("Cargo.lock", "[[")]);
    assert_eq!(languages(&analysis).len(), 2);
    assert!(analysis.problems[0].0.ends_with("Cargo.lock"), "{:?}", analysis.problems);
    assert!(analyze(Path::new("/nowhere/at/all"), Scan::CountOnly).is_err());
}

#[test]
fn the_result_does_not_depend_on_who_is_faster() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..300 {
        write(folder.path(), &[(&format!("d{}/f{number}.py", number % 17), "import openai\nx = 1\n")]);
    }
    let told = || format!("{:?}", analyze(folder.path(), Scan::WithEgress).unwrap());
    assert_eq!(told(), told());
}
