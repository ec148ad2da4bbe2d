//! What sort of problem a question is about: the method that it names, and how much data there is.

use super::component::{Component, find};
use super::words::plain;

/// What can compute.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// The instruction set that kernels use.
    pub isa: String,
    /// A graphics processor that can be used.
    pub gpu: Option<String>,
    /// How many machines work together.
    pub nodes: u32,
}

/// What something is best computed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hardware {
    /// Plain code: for so little nothing else is worth it.
    Scalar,
    /// The vector instructions of this machine.
    Simd(String),
    /// A graphics processor of this machine.
    Gpu(String),
}

impl Hardware {
    /// Names it.
    pub fn name(&self) -> String {
        match self {
            Self::Scalar => "scalar".to_owned(),
            Self::Simd(isa) => format!("SIMD ({isa})"),
            Self::Gpu(name) => format!("GPU ({name})"),
        }
    }
}

impl Machine {
    /// Chooses for so many rows of data.
    pub(super) fn backend(&self, size: Option<u64>) -> Hardware {
        match (size, &self.gpu) {
            (Some(..=SIMD_ABOVE), _) => Hardware::Scalar,
            (Some(size), Some(gpu)) if size > GPU_ABOVE => Hardware::Gpu(gpu.clone()),
            _ => Hardware::Simd(self.isa.clone()),
        }
    }

    /// Chooses for a language model.
    pub(super) fn inference_backend(&self) -> Hardware {
        self.gpu.clone().map_or_else(|| Hardware::Simd(self.isa.clone()), Hardware::Gpu)
    }
}

/// A method of classical machine learning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Algorithm {
    pub(super) name: &'static str,
    pub(super) class: &'static str,
    pub(super) module: &'static str,
    spelled: &'static [&'static str],
}

/// What a question says about its problem.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Problem {
    pub(super) algorithm: Option<&'static Algorithm>,
    pub(super) size: Option<u64>,
    /// Whether the answer is named.
    pub(super) is_named: bool,
    domain: Option<&'static str>,
}

impl Problem {
    pub(super) fn of(question: &str) -> Self {
        let words = format!(" {} ", plain(question).replace('-', " "));
        let says = |text: &&str| words.contains(&format!(" {text} "));
        let algorithm = ALGORITHMS.iter().find(|algorithm| algorithm.spelled.iter().any(says));
        let domain = DOMAINS.iter().find(|(_, spelled)| spelled.iter().any(says)).map(|(name, _)| *name);
        let size = question.split(|c: char| c.is_whitespace() || c == ',').find_map(parse_size);
        Self { algorithm, size, is_named: false, domain }
    }

    /// Returns what solves it, where that lies outside.
    pub(super) fn component(&self) -> Option<&'static Component> {
        find(self.algorithm.map(|_| "aprender").or(self.domain)?)
    }
}

/// Reads `1M`, `1_000_000`, `2.5k`, `10 000` without the space, or `3 billion` without the word: a number of rows.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric()).replace('_', "");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "b" | "g" => 1e9,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    let size = (number * factor).round();
    // A number without a unit may be anything, unless it is long.
    let is_size = (1.0..1e15).contains(&size) && (!unit.is_empty() || digits.len() >= 4);
    is_size.then_some(size as u64)
}

const SIMD_ABOVE: u64 = 100;
const GPU_ABOVE: u64 = 100_000;
/// Less fits into one machine.
pub(super) const DISTRIBUTED_FROM: u64 = 10_000_000;

const SUPERVISED: &str = "Supervised learning";
const UNSUPERVISED: &str = "Unsupervised learning";

const ALGORITHMS: &[Algorithm] = &[
    row(
        "random_forest",
        SUPERVISED,
        "aprender::tree::RandomForestClassifier",
        &["random forest", "random forests", "randomforest"],
    ),
    row(
        "decision_tree",
        SUPERVISED,
        "aprender::tree::DecisionTreeClassifier",
        &["decision tree", "decision trees"],
    ),
    row(
        "gradient_boosting",
        SUPERVISED,
        "aprender::tree::GradientBoostingClassifier",
        &["gradient boosting", "xgboost", "gbm", "boosted trees"],
    ),
    row(
        "linear_regression",
        SUPERVISED,
        "aprender::linear_model::LinearRegression",
        &["linear regression", "least squares"],
    ),
    row(
        "logistic_regression",
        SUPERVISED,
        "aprender::classification::LogisticRegression",
        &["logistic regression"],
    ),
    row(
        "svm",
        SUPERVISED,
        "aprender::classification::LinearSVM",
        &["svm", "support vector machine", "support vector machines"],
    ),
    row(
        "knn",
        SUPERVISED,
        "aprender::classification::KNearestNeighbors",
        &["knn", "nearest neighbors", "nearest neighbours"],
    ),
    row("naive_bayes", SUPERVISED, "aprender::classification::GaussianNB", &["naive bayes"]),
    row("kmeans", UNSUPERVISED, "aprender::cluster::KMeans", &["kmeans", "k means"]),
    row("dbscan", UNSUPERVISED, "aprender::cluster::DBSCAN", &["dbscan"]),
    row(
        "pca",
        UNSUPERVISED,
        "aprender::preprocessing::PCA",
        &["pca", "principal component analysis", "principal components"],
    ),
];

const DOMAINS: &[(&str, &[&str])] = &[
    (
        "entrenar",
        &[
            "fine tune",
            "fine tuning",
            "finetune",
            "finetuning",
            "lora",
            "qlora",
            "autograd",
            "train a neural network",
        ],
    ),
    (
        "aprender",
        &[
            "train a classifier",
            "regression model",
            "supervised learning",
            "clustering",
            "cluster analysis",
            "classical machine learning",
        ],
    ),
    ("depyler", &["transpile python", "convert python to rust", "python to rust"]),
    ("renacer", &["trace system calls", "syscall trace", "system call tracing", "strace"]),
    ("trueno-graph", &["pagerank", "graph database", "shortest path"]),
    ("alimentar", &["load a dataset", "parquet", "load a csv"]),
    ("trueno-db", &["analytics database", "olap"]),
];

const fn row(
    name: &'static str,
    class: &'static str,
    module: &'static str,
    spelled: &'static [&'static str],
) -> Algorithm {
    Algorithm { name, class, module, spelled }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let rows = [
            ("1M", 1_000_000),
            ("2.5k", 2500),
            ("1_000_000", 1_000_000),
            ("10000", 10_000),
            ("3B", 3_000_000_000),
            ("500k.", 500_000),
        ];
        for (text, size) in rows {
            assert_eq!(parse_size(text), Some(size), "{text}");
        }
        for text in ["", "7", "100", "7x", "model", "1e999", "999999999999999999999", ".", "-5k5"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn the_backend_follows_the_size() {
        let cpu = Machine { isa: "avx2".into(), gpu: None, nodes: 1 };
        let gpu = Machine { gpu: Some("cuda".into()), ..cpu.clone() };
        assert_eq!(cpu.backend(Some(100)), Hardware::Scalar);
        assert_eq!(cpu.backend(Some(101)), Hardware::Simd("avx2".into()));
        assert_eq!(cpu.backend(Some(1_000_000)), Hardware::Simd("avx2".into()));
        assert_eq!(gpu.backend(Some(100_000)), Hardware::Simd("avx2".into()));
        assert_eq!(gpu.backend(Some(100_001)), Hardware::Gpu("cuda".into()));
    }
}
