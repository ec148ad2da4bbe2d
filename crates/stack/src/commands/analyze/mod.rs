//! `stack analyze`: what a repository is, how it is kept, and what it sends to whom.

mod report;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use stack_chat::Tier;
use stack_insight::analyze::{self, Analysis, Grade, Scan, WalkError};

use self::report::{Section, print, to_json};
use crate::config::{Config, PrivacyArguments};
use crate::error::{CommandError, Kind};
use crate::home::HomeArguments;
use crate::terminal::output::Data;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Arguments {
    /// The folder to look at
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    path: PathBuf,
    /// Print the languages; without a section named, all are printed
    #[arg(long)]
    languages: bool,
    /// Print what each package manager fetches
    #[arg(long)]
    dependencies: bool,
    /// Print the score and every deduction
    #[arg(long, visible_alias = "score")]
    tdg: bool,
    /// Print the lines that ask a model, and the tier that each needs; under the tier sovereign, those that need more fail
    #[arg(long)]
    egress: bool,
    /// Fail below this grade: A+, A, B, C or D
    #[arg(long, value_name = "GRADE", value_parser = parse_grade)]
    min_grade: Option<Grade>,
    #[command(flatten)]
    home: HomeArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints what was found, and fails where that is below the bar.
pub(crate) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    // A wrong configuration should not have to wait for the tree.
    let tier = arguments.egress.then(|| ceiling(arguments)).transpose()?;
    let sections = arguments.sections();
    let scan = if sections.contains(&Section::Egress) { Scan::WithEgress } else { Scan::CountOnly };
    let analysis = analyze::analyze(&arguments.path, scan).map_err(|error| arguments.failed(error))?;
    let mut data = Data::new();
    if arguments.json {
        data.json(&to_json(&analysis, &sections))?;
    } else {
        print(&analysis, &sections, &mut data)?;
    }
    drop(data);
    arguments.hold_to_the_bar(&analysis, tier)
}

impl Arguments {
    fn sections(&self) -> Vec<Section> {
        let named = [
            (self.languages, Section::Languages),
            (self.dependencies, Section::Dependencies),
            (self.tdg, Section::Score),
            (self.egress, Section::Egress),
        ];
        let all = named.iter().all(|(is_named, _)| !is_named);
        let sections = named.into_iter().filter(|(is_named, _)| all || *is_named).map(|(_, section)| section);
        sections.chain(all.then_some(Section::Advice)).collect()
    }

    fn failed(&self, error: WalkError) -> CommandError {
        match error {
            WalkError::Root(error) => CommandError::reading(self.path.display(), error),
            WalkError::TooMany => CommandError::new(Kind::Limit, format!("{}: {error}", self.path.display()))
                .hint("analyze its folders one by one"),
        }
    }

    fn hold_to_the_bar(&self, analysis: &Analysis, tier: Option<Tier>) -> Result<(), CommandError> {
        let grade = analysis.score.grade();
        if let Some(wanted) = self.min_grade.filter(|wanted| grade < *wanted) {
            let message = format!(
                "{} has {:.1} points ({}), less than {}",
                self.path.display(),
                analysis.score.points,
                grade.name(),
                wanted.name()
            );
            return Err(CommandError::new(Kind::BelowBar, message)
                .reason("grade")
                .hint("`stack analyze --tdg` shows each deduction"));
        }
        let beyond = tier.map(|tier| analysis.egress.iter().filter(|found| found.tier > tier).count());
        match (tier, beyond) {
            (Some(tier @ Tier::Sovereign), Some(count @ 1..)) => {
                let message = format!("{count} lines need more than the tier {} allows", tier.name());
                Err(CommandError::new(Kind::BelowBar, message)
                    .reason("egress")
                    .hint("ask a server of this machine instead: `stack serve`"))
            }
            _ => Ok(()),
        }
    }
}

/// The tier that the operator sets.
fn ceiling(arguments: &Arguments) -> Result<Tier, CommandError> {
    let config = Config::read(&arguments.home.home()?)?;
    Ok(PrivacyArguments::default().effective(&config.privacy)?.tier.value)
}

fn parse_grade(text: &str) -> Result<Grade, String> {
    Grade::from_name(text).ok_or_else(|| "expected A+, A, B, C or D".to_owned())
}
