//! The section `[audit]`: whether acts are written down, what happens if they cannot be, and where copies go.

use std::fmt;
use std::path::PathBuf;

use stack_audit::Anchor;
use stack_audit::requirement::Requirement;

use super::file::Section;
use super::{Origin, Setting};

/// The section `[audit]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditSection {
    enabled: Option<Setting<bool>>,
    required: Option<Setting<bool>>,
    anchors: Option<Setting<Vec<Place>>>,
    anchor_command: Option<Setting<Vec<String>>>,
    payload_days: Option<Setting<u16>>,
}

/// A place that gets a copy of every checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file, by its absolute path.
    File(PathBuf),
    /// The system log.
    Syslog,
}

impl AuditSection {
    pub(super) fn take(mut section: Section<'_>) -> Self {
        let (enabled, required) = (section.flag("enabled"), section.flag("required"));
        let says =
            |flag: &Option<Setting<bool>>, value| flag.as_ref().is_some_and(|flag| flag.value == value);
        if says(&enabled, false) && says(&required, true) {
            // Whichever won, somebody would believe the other.
            section.refuse("required", " cannot be true while audit.enabled is false: take one of them out");
        }
        Self {
            enabled,
            required,
            anchors: section.texts("anchors", Place::parse),
            anchor_command: section.texts("anchor_command", |word| Ok::<_, String>(word.to_owned())),
            payload_days: section.integer("payload_days"),
        }
    }

    /// Whether acts are written down.
    pub(crate) fn enabled(&self) -> Setting<bool> {
        self.enabled.clone().unwrap_or(Setting::new(true, Origin::Default))
    }

    /// Whether nothing is done that cannot be written down.
    pub(crate) fn required(&self) -> Setting<bool> {
        self.required.clone().unwrap_or(Setting::new(false, Origin::Default))
    }

    /// Files and the system log that get every checkpoint.
    pub(crate) fn places(&self) -> Setting<Vec<Place>> {
        self.anchors.clone().unwrap_or(Setting::new(Vec::new(), Origin::Default))
    }

    /// A program and its arguments that get every checkpoint.
    pub(crate) fn anchor_command(&self) -> Setting<Vec<String>> {
        self.anchor_command.clone().unwrap_or(Setting::new(Vec::new(), Origin::Default))
    }

    /// For how many days payloads are kept; 0 is for ever.
    pub(crate) fn payload_days(&self) -> Setting<u16> {
        self.payload_days.clone().unwrap_or(Setting::new(0, Origin::Default))
    }

    pub(crate) fn requirement(&self) -> Requirement {
        if self.required().value { Requirement::Always } else { Requirement::WherePossible }
    }

    /// The files among the anchors.
    pub(crate) fn anchor_files(&self) -> Vec<PathBuf> {
        let file = |place| if let Place::File(path) = place { Some(path) } else { None };
        self.places().value.into_iter().filter_map(file).collect()
    }

    /// Everything that gets every checkpoint.
    pub(crate) fn anchors(&self) -> Vec<Anchor> {
        let places = self.places().value.into_iter().map(|place| match place {
            Place::File(path) => Anchor::File(path),
            Place::Syslog => Anchor::Syslog(SYSLOG_SOCKET.into()),
        });
        let command = Some(self.anchor_command().value).filter(|words| !words.is_empty());
        places.chain(command.map(Anchor::Command)).collect()
    }
}

impl Place {
    fn parse(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        match text {
            "syslog" => Ok(Self::Syslog),
            _ if path.is_absolute() => Ok(Self::File(path)),
            _ => Err(format!("{text:?} is neither `syslog` nor the absolute path of a file")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Syslog => f.write_str("syslog"),
        }
    }
}

const SYSLOG_SOCKET: &str = "/dev/log";

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn anchors_are_files_the_system_log_and_a_command() {
        let text = "[audit]\nanchors = [\"/mnt/a\", \"syslog\"]\nanchor_command = [\"lp\", \"-d\", \"x\"]\n";
        let section = Config::parse(text.as_bytes()).unwrap().audit;
        let command = ["lp", "-d", "x"].map(str::to_owned).to_vec();
        let expected =
            [Anchor::File("/mnt/a".into()), Anchor::Syslog("/dev/log".into()), Anchor::Command(command)];
        assert_eq!(section.anchors(), expected);
        assert_eq!((section.enabled().value, section.requirement()), (true, Requirement::WherePossible));
        let problems = Config::parse(b"[audit]\nanchors = [\"a\"]\nrequired = 1\n").unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }

    #[test]
    fn a_log_cannot_be_off_and_required() {
        let problems = Config::parse(b"[audit]\nenabled = false\nrequired = true\n").unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [3], "{problems:?}");
        assert!(problems[0].what.contains("audit.enabled"), "{problems:?}");
        assert!(Config::parse(b"[audit]\nenabled = false\nrequired = false\n").is_ok());
    }
}
