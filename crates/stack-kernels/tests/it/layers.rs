//! The modules form layers, which `lib.rs` lists from the ground up.

use std::fs;
use std::path::{Path, PathBuf};

/// Lists the layers: blocks of modules between empty lines.
fn layers(lib: &str) -> Vec<Vec<&str>> {
    let blocks = lib.split("\n\n").map(|block| {
        let modules = block.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
        modules.collect::<Vec<_>>()
    });
    blocks.filter(|layer| !layer.is_empty()).collect()
}

/// Lists the modules of the crate that a source names outside of its tests and comments.
fn used(source: &str) -> impl Iterator<Item = &str> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let rests = lines.flat_map(|line| line.split("crate::").skip(1));
    rests.filter_map(|rest| rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next())
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn modules_use_only_layers_below_their_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(root.join("lib.rs")).unwrap();
    let layers = layers(&lib);
    assert!(layers.len() > 5, "only {} layers found", layers.len());
    let layer = |module: &str| layers.iter().position(|layer| layer.contains(&module));
    for path in sources(&root) {
        let file = path.strip_prefix(&root).unwrap().with_extension("");
        let module = file.components().next().unwrap().as_os_str().to_str().unwrap();
        if module == "lib" || file.ends_with("tests") {
            continue;
        }
        let own = layer(module).unwrap_or_else(|| panic!("{module} is in no layer"));
        let source = fs::read_to_string(&path).unwrap();
        for other in used(&source).filter(|&other| other != module) {
            let below =
                layer(other).unwrap_or_else(|| panic!("{other}, used in {}, is no module", file.display()));
            assert!(below < own, "{} uses {other}, which is not below it", file.display());
        }
    }
}
