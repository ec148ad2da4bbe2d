//! Every fuzz target is built, described, started from seeds and accounted for.

use std::collections::BTreeSet;
use std::fs;

use crate::tree::{entries, read, workspace_root};

/// Where a fuzz target has to be named, by what that place holds today.
struct Places {
    /// The sources in `fuzz/fuzz_targets`.
    sources: BTreeSet<String>,
    /// The binaries of `fuzz/Cargo.toml`.
    binaries: BTreeSet<String>,
    /// The table in `CONTRIBUTING.md`.
    described: BTreeSet<String>,
    /// The folders in `fuzz/corpus`.
    seeded: BTreeSet<String>,
    /// The ledger `fuzz/RUNS.md`.
    ran: BTreeSet<String>,
}

impl Places {
    fn read() -> Self {
        let root = workspace_root();
        let names = |folder: &str| entries(&root.join(folder)).into_iter();
        let stems =
            names("fuzz/fuzz_targets").filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        let folders = names("fuzz/corpus").filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let manifest: toml::Table =
            read(&root.join("fuzz/Cargo.toml")).parse().expect("the manifest is TOML");
        let binaries = manifest["bin"].as_array().expect("binaries are a list").iter();
        Self {
            sources: stems.collect(),
            binaries: binaries.filter_map(|binary| Some(binary.get("name")?.as_str()?.to_owned())).collect(),
            described: first_column(&read(&root.join("CONTRIBUTING.md")), "| target |"),
            seeded: folders.collect(),
            ran: first_column(&read(&root.join("fuzz/RUNS.md")), "| target |"),
        }
    }

    fn faults(&self) -> Vec<String> {
        let places = [
            ("the binaries of fuzz/Cargo.toml", &self.binaries),
            ("the table of CONTRIBUTING.md", &self.described),
            ("fuzz/corpus", &self.seeded),
            ("fuzz/RUNS.md", &self.ran),
        ];
        let mut faults = Vec::new();
        for (place, names) in places {
            for name in self.sources.difference(names) {
                faults.push(format!("{name}: not in {place}"));
            }
            for name in names.difference(&self.sources) {
                faults.push(format!("{name}: in {place}, but there is no fuzz_targets/{name}.rs"));
            }
        }
        faults
    }
}

/// Lists the words between backquotes in the first column of the table that begins with `head`.
fn first_column(page: &str, head: &str) -> BTreeSet<String> {
    let rows =
        page.lines().skip_while(|line| !line.starts_with(head)).take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// A target needs few seeds to start from; what a run discovers is not committed.
const SEEDS_MAX: usize = 12;

/// A seed that is larger makes each execution slow.
const SEED_BYTES_MAX: u64 = 4096;

mod tests {
    use super::*;

    #[test]
    fn every_target_is_built_described_seeded_and_run() {
        let places = Places::read();
        assert!(places.sources.len() >= 19, "only {} targets found", places.sources.len());
        let faults = places.faults();
        assert!(faults.is_empty(), "fuzz targets are missing:\n{}", faults.join("\n"));
    }

    #[test]
    fn the_ledger_tells_what_ran() {
        let ledger = read(&workspace_root().join("fuzz/RUNS.md"));
        for row in ledger.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [_, _, commit, seconds, executions, date, findings, _] = cells.as_slice() else {
                panic!("a row of fuzz/RUNS.md has six cells: {row}")
            };
            let ran = |count: &str| count.parse::<u64>().is_ok_and(|count| count > 0);
            let told = !commit.is_empty() && !date.is_empty() && !findings.is_empty();
            assert!(told && ran(seconds) && ran(executions), "fuzz/RUNS.md does not tell what ran: {row}");
        }
    }

    #[test]
    fn seeds_are_few_and_small() {
        for folder in entries(&workspace_root().join("fuzz/corpus")) {
            let seeds = entries(&folder);
            assert!((1..=SEEDS_MAX).contains(&seeds.len()), "{}: {} seeds", folder.display(), seeds.len());
            for seed in seeds {
                let bytes = fs::metadata(&seed).expect("the seed can be read").len();
                assert!(bytes <= SEED_BYTES_MAX, "{}: {bytes} bytes", seed.display());
            }
        }
    }

    #[test]
    fn a_target_missing_anywhere_is_a_fault() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        let sound = || Places {
            sources: names(&["a", "b"]),
            binaries: names(&["a", "b"]),
            described: names(&["a", "b"]),
            seeded: names(&["a", "b"]),
            ran: names(&["a", "b"]),
        };
        assert_eq!(sound().faults(), [""; 0]);
        let one = [
            Places { binaries: names(&["a"]), ..sound() },
            Places { described: names(&["a", "b", "c"]), ..sound() },
            Places { seeded: names(&["b"]), ..sound() },
            Places { ran: names(&["a"]), ..sound() },
        ];
        for places in one {
            assert_eq!(places.faults().len(), 1, "{:?}", places.faults());
        }
    }

    #[test]
    fn the_first_column_is_read() {
        let page = "| target | x |\n| --- | --- |\n| `a`, `b` | `c` |\n\n| `d` |\n";
        assert_eq!(first_column(page, "| target |"), BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    }
}
