use super::*;

/// Returns the number of packages that a file lists for its first manager, and whether their versions are fixed.
fn parsed(path: &str, text: &str) -> (&'static str, usize, bool) {
    let listings = parse(Path::new(path), text.as_bytes()).unwrap();
    (listings[0].manager.name(), listings[0].count(), listings[0].is_fixed)
}

#[test]
fn each_manager_is_counted_from_its_own_files() {
    let rows = [
        (
            "requirements.txt",
            "torch>=2\n# x\n-r other.txt\nNumPy[a]==1 ; python_version > '3'\n\n",
            ("pip", 2, false),
        ),
        ("requirements/dev.txt", "a==1 \\\n  --hash=sha256:0\nb==2 # x\n", ("pip", 2, true)),
        ("pyproject.toml", "[project]\ndependencies = [\"a>=1\", \"b\"]\n", ("pip", 2, false)),
        ("Pipfile", "[packages]\na = \"*\"\n[dev-packages]\nb = \"*\"\n", ("pipenv", 2, false)),
        ("Pipfile.lock", r#"{"default":{"a":{"version":"==1"}},"develop":{}}"#, ("pipenv", 1, true)),
        (
            "pyproject.toml",
            "[tool.poetry.dependencies]\npython = \"^3\"\na = \"1\"\n[tool.poetry.group.dev.dependencies]\nb = \"1\"",
            ("poetry", 2, false),
        ),
        ("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1\"\n", ("poetry", 1, true)),
        (
            "environment.yml",
            "dependencies:\n  - python=3.11\n  - conda-forge::a\n  - pip:\n    - b\n",
            ("conda", 2, false),
        ),
        (
            "conda-lock.yml",
            "package:\n- name: a\n  version: '1'\n- name: a\n  version: '1'\n",
            ("conda", 1, true),
        ),
        (
            "Cargo.lock",
            "[[package]]\nname = \"own\"\nversion = \"0\"\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = \"registry\"\n",
            ("cargo", 1, true),
        ),
        (
            "Cargo.toml",
            "[dependencies]\na = \"1\"\nb = { path = \"b\" }\n[target.'cfg(unix)'.dependencies]\nc = { package = \"d\", version = \"1\" }",
            ("cargo", 2, false),
        ),
        (
            "package-lock.json",
            r#"{"packages":{"":{},"node_modules/a":{"version":"1"},"node_modules/a/node_modules/@s/b":{"version":"2"},"node_modules/w":{"link":true}}}"#,
            ("npm", 2, true),
        ),
        (
            "package-lock.json",
            r#"{"dependencies":{"a":{"version":"1","dependencies":{"b":{"version":"1"}}}}}"#,
            ("npm", 2, true),
        ),
        ("package.json", r#"{"dependencies":{"a":"1"},"devDependencies":{"b":"1"}}"#, ("npm", 2, false)),
        (
            "yarn.lock",
            "# yarn lockfile v1\n\n\"@s/a@^1\", \"@s/a@^1.1\":\n  version \"1.2\"\n  dependencies:\n    version \"9\"\n\nb@2:\n  version \"2\"\n",
            ("yarn", 2, true),
        ),
        (
            "yarn.lock",
            "__metadata:\n  version: 8\n\n\"a@npm:^1\":\n  version: 1.2\n\n\"own@workspace:.\":\n  version: 0.0\n  resolution: \"own@workspace:.\"\n",
            ("yarn", 1, true),
        ),
        (
            "go.mod",
            "module x\n\nrequire a.b/c v1\nrequire (\n\td.e/f v2 // indirect\n)\nreplace g => h v1\n",
            ("go", 2, true),
        ),
        (
            "pom.xml",
            "<project><dependencyManagement><dependencies><dependency><groupId>m</groupId><artifactId>m</artifactId></dependency></dependencies></dependencyManagement><dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><exclusions><exclusion><artifactId>x</artifactId></exclusion></exclusions></dependency></dependencies></project>",
            ("maven", 1, true),
        ),
        ("gradle.lockfile", "# x\na:b:1=compile\nc:d:2=test\nempty=x\n", ("gradle", 2, true)),
        (
            "build.gradle.kts",
            "dependencies {\n  implementation(\"a:b:1\")\n  testImplementation 'c:d:2'\n  api platform('e:f:3')\n  // api 'g:h:1'\n  implementation(project(\":x\"))\n}",
            ("gradle", 3, false),
        ),
        ("Makefile", "LDLIBS = -lm -lssl\nCFLAGS = $(shell pkg-config --cflags gtk4)\n", ("make", 3, true)),
    ];
    for (path, text, expected) in rows {
        assert_eq!(parsed(path, text), expected, "{path}\n{text}");
    }
}

#[test]
fn damaged_files_are_problems_and_not_the_end() {
    for (path, text) in
        [("Cargo.lock", "[["), ("package.json", "{"), ("environment.yml", "a: [b"), ("pom.xml", "<a></b>")]
    {
        let problem = parse(Path::new(path), text.as_bytes()).unwrap_err();
        assert!(problem.contains("lists packages, but is no "), "{problem}");
    }
    assert!(parse(Path::new("go.mod"), b"\xff").is_err());
    let deep = "[".repeat(10_000);
    assert!(parse(Path::new("package.json"), deep.as_bytes()).is_err());
    assert!(parse(Path::new("environment.yml"), deep.as_bytes()).is_err());
    assert!(parse(Path::new("pom.xml"), "<a>".repeat(10_000).as_bytes()).is_err());
}

/// Joins files, and returns manager, count and whether something is not locked.
fn joined(files: &[(&str, &str)]) -> Vec<(&'static str, usize, bool)> {
    let listings: Vec<Listing> =
        files.iter().flat_map(|(path, text)| parse(Path::new(path), text.as_bytes()).unwrap()).collect();
    join(&listings).iter().map(|found| (found.manager.name(), found.count, found.is_unlocked)).collect()
}

#[test]
fn the_lock_file_wins_over_manifests_in_and_below_its_folder() {
    let manifest = "[dependencies]\na = \"1\"\nb = \"1\"\nc = \"1\"\n";
    let lock = "[[package]]\nname = \"a\"\nversion = \"1\"\nsource = \"registry\"\n";
    assert_eq!(joined(&[("x/Cargo.toml", manifest), ("Cargo.lock", lock)]), [("cargo", 1, false)]);
    assert_eq!(joined(&[("Cargo.toml", manifest), ("x/Cargo.lock", lock)]), [("cargo", 3, true)]);
}

#[test]
fn a_lock_file_of_yarn_makes_the_manifest_its_own() {
    let manifest = r#"{"dependencies":{"a":"1","b":"1"}}"#;
    assert_eq!(
        joined(&[("package.json", manifest), ("yarn.lock", "a@1:\n  version \"1\"\n")]),
        [("yarn", 1, false)]
    );
    assert_eq!(joined(&[("package.json", manifest)]), [("npm", 2, true)]);
}
