//! A score of which every deduction is shown.

use super::facts::Tally;

/// How well a repository is kept, from 0 to 100.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// 100 without the deductions.
    pub points: f64,
    /// What was deducted, and why.
    pub deductions: Vec<Deduction>,
}

/// Why points are missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Deduction {
    /// How many.
    pub points: f64,
    /// The reason.
    pub reason: String,
}

/// The range that a score lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Below 60.
    D,
    /// From 60.
    C,
    /// From 70.
    B,
    /// From 80.
    A,
    /// From 90.
    APlus,
}

impl Grade {
    /// All grades, the worst first.
    pub const ALL: [Self; 5] = [Self::D, Self::C, Self::B, Self::A, Self::APlus];

    /// Returns how it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::D => "D",
            Self::C => "C",
            Self::B => "B",
            Self::A => "A",
            Self::APlus => "A+",
        }
    }

    /// Finds the grade that is written so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grade| grade.name().eq_ignore_ascii_case(name))
    }
}

impl Score {
    /// Judges what was found. `unlocked` are the managers that are used without a lock file.
    pub(crate) fn of(tally: &Tally, unlocked: &[&str]) -> Self {
        let mut deductions = Vec::new();
        let mut deduct = |points: f64, reason: String| {
            if points > 0.0 {
                deductions.push(Deduction { points, reason });
            }
        };
        let has = [
            (tally.has_tests, 10.0, "no tests"),
            (tally.has_readme, 5.0, "no README"),
            (tally.has_ci, 5.0, "no CI"),
            (tally.has_license, 5.0, "no licence"),
        ];
        for (_, points, reason) in has.into_iter().filter(|(has, ..)| !has) {
            deduct(points, reason.to_owned());
        }
        if !unlocked.is_empty() {
            deduct(5.0, format!("no lock file for {}", unlocked.join(", ")));
        }
        let lines = tally.code_lines();
        if lines > 0 {
            let long = tally.lines_in_long_files as f64 / lines as f64;
            let reason = format!("{:.0} % of the lines are in files over 500 lines", long * 100.0);
            deduct(tenths(LONG_FILES_MAX * long), reason);
            let density = tally.todos as f64 * 1000.0 / lines as f64;
            let reason = format!("{density:.1} TODO and FIXME in 1000 lines");
            deduct(tenths(density.min(TODOS_MAX)), reason);
        }
        let points = 100.0 - deductions.iter().map(|deduction| deduction.points).sum::<f64>();
        Self { points: tenths(points), deductions }
    }

    /// Returns the grade.
    pub fn grade(&self) -> Grade {
        match self.points {
            90.0.. => Grade::APlus,
            80.0.. => Grade::A,
            70.0.. => Grade::B,
            60.0.. => Grade::C,
            _ => Grade::D,
        }
    }
}

/// Rounds, so that what is shown adds up.
fn tenths(points: f64) -> f64 {
    (points * 10.0).round() / 10.0
}

/// Deducted where all code is in long files.
const LONG_FILES_MAX: f64 = 15.0;
/// Deducted at most for what is left to do: a point for each in a thousand lines.
const TODOS_MAX: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_begin_where_they_say() {
        let grade = |points| Score { points, deductions: Vec::new() }.grade().name();
        let points = [100.0, 90.0, 89.9, 80.0, 79.9, 70.0, 69.9, 60.0, 59.9, 0.0];
        assert_eq!(points.map(grade), ["A+", "A+", "A", "A", "B", "B", "C", "C", "D", "D"]);
        assert!(Grade::ALL.is_sorted());
        assert_eq!(Grade::from_name("a+"), Some(Grade::APlus));
    }

    #[test]
    fn deductions_add_up() {
        let tally = Tally { has_readme: true, ..Tally::default() };
        let score = Score::of(&tally, &["pip", "npm"]);
        let sum: f64 = score.deductions.iter().map(|deduction| deduction.points).sum();
        assert_eq!((score.points, sum), (75.0, 25.0));
        assert_eq!(score.deductions[3].reason, "no lock file for pip, npm");
    }
}
