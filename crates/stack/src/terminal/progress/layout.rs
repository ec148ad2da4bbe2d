//! One line that says how far something is, however narrow the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal::output::sanitize;
use crate::terminal::units;

/// What the line says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// A word such as `copying`; empty where the name says enough.
    pub(crate) doing: &'a str,
    /// What it is done to; may be empty.
    pub(crate) name: &'a str,
    /// The other end of a transfer.
    pub(crate) host: Option<&'a str>,
    /// Bytes that are done.
    pub(crate) done: u64,
    /// Bytes in all; 0 where that is not known.
    pub(crate) total: u64,
    /// Bytes per second, where that is known and matters.
    pub(crate) rate: Option<u64>,
}

impl Line<'_> {
    /// Lays the line out for a terminal of so many columns, of which it takes fewer. What matters least goes first: the
    /// host, the bar, the time that is left, the speed, the amounts. Names are shortened in the middle.
    pub(crate) fn fit(&self, columns: usize) -> String {
        let width = columns.saturating_sub(1);
        let name = sanitize(self.name).replace(['\n', '\t'], " ");
        let name_min = name.width().min(NAME_MIN);
        let label = |room: usize| match (self.doing, name.as_str()) {
            (doing, "") => doing.to_owned(),
            ("", name) => shortened(name, room),
            (doing, name) => format!("{doing} {}", shortened(name, room.saturating_sub(doing.width() + 1))),
        };
        let label_min = self.doing.width() + usize::from(!self.doing.is_empty() && name_min > 0) + name_min;
        let layouts = self.layouts();
        let with_host = self.host.map(|host| format!("{}  {}", layouts[0], sanitize(host)));
        let label_whole = label(usize::MAX).width();
        let with_host = with_host.filter(|facts| label_whole + 2 + facts.width() <= width);
        let facts =
            with_host.or_else(|| layouts.into_iter().find(|facts| label_min + 2 + facts.width() <= width));
        let facts = facts.unwrap_or_else(|| self.percent());
        let line = format!("{}  {facts}", label(width.saturating_sub(facts.width() + 2)));
        if line.width() <= width { line } else { cut(&facts, width) }
    }

    /// What may stand behind the name, the longest first.
    fn layouts(&self) -> Vec<String> {
        let (percent, amounts) = (self.percent(), self.amounts());
        let rate = self.rate.map(|rate| format!("  {}/s", units::bytes(rate))).unwrap_or_default();
        let left = self.left().map(|left| format!("  {left} left")).unwrap_or_default();
        let with_bar = |cells| format!("{}  {amounts}{rate}{left}", self.bar(cells));
        let mut layouts = vec![with_bar(24), with_bar(10)];
        layouts.extend([
            format!("{percent}  {amounts}{rate}{left}"),
            format!("{percent}  {amounts}{rate}"),
            format!("{percent}{rate}"),
        ]);
        layouts
    }

    fn percent(&self) -> String {
        match (u128::from(self.done) * 100).checked_div(u128::from(self.total)) {
            Some(percent) => format!("{} %", percent.min(100)),
            None => units::bytes(self.done),
        }
    }

    fn amounts(&self) -> String {
        format!("{} of {}", units::bytes(self.done), units::bytes(self.total))
    }

    fn bar(&self, cells: usize) -> String {
        let full =
            (u128::from(self.done.min(self.total)) * cells as u128).checked_div(u128::from(self.total));
        let full = full.unwrap_or(0) as usize;
        format!("{}{}", "█".repeat(full), "░".repeat(cells - full))
    }

    /// How long the rest takes at this speed.
    fn left(&self) -> Option<String> {
        let rate = self.rate.filter(|&rate| rate > 0)?;
        let seconds = self.total.saturating_sub(self.done).div_ceil(rate);
        Some(match seconds {
            0..60 => format!("{seconds} s"),
            60..3600 => format!("{} min", seconds.div_ceil(60)),
            3600..360_000 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
            _ => return None,
        })
    }
}

/// Takes letters out of the middle of a name: its beginning and its end tell it from others.
fn shortened(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let room = width.saturating_sub(1);
    let start = cut(name, room.div_ceil(2));
    let mut end = String::new();
    for character in name.chars().rev() {
        if end.width() + character.width().unwrap_or(0) > room - start.width().min(room) {
            break;
        }
        end.insert(0, character);
    }
    cut(&format!("{start}…{end}"), width)
}

/// Returns as much of a text as fits.
fn cut(text: &str, width: usize) -> String {
    let mut columns = 0;
    let fits = |character: &char| {
        columns += character.width().unwrap_or(0);
        columns <= width
    };
    text.chars().take_while(fits).collect()
}

/// A name of which less is shown says nothing.
const NAME_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line<'_> = Line {
        doing: "",
        name: "SmolLM2-135M-Instruct-with-a-long-name.Q4_1.gguf",
        host: None,
        done: 3 << 30,
        total: 4 << 30,
        rate: Some(100 << 20),
    };

    #[test]
    fn every_line_fits_every_terminal() {
        let names = [LINE.name, "", "m", "模型文件的名字很长很长很长.gguf", "a\u{1b}[2J\nb"];
        for columns in 0..200 {
            for name in names {
                for (doing, rate) in [("", LINE.rate), ("checking", None), ("loading", Some(0))] {
                    for (done, total) in [(0, 0), (0, 5), (u64::MAX, u64::MAX), (9, 5), (5 << 40, 6 << 40)] {
                        let line =
                            Line { doing, name, done, total, rate, host: Some("hub\u{1b}.lan") }.fit(columns);
                        assert!(line.width() < columns.max(1), "{columns}: {line:?}");
                        assert!(!line.contains(char::is_control), "{line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn narrow_lines_say_less_and_the_percentage_stays() {
        assert_eq!(
            LINE.fit(120),
            "SmolLM2-135M-Instruct-with-a-long-name.Q4_1.gguf  ██████████████████░░░░░░  3.0 GiB of 4.0 GiB  100 MiB/s  11 s left"
        );
        let line = Line { host: Some("hub.lan"), ..LINE }.fit(130);
        assert!(line.ends_with("11 s left  hub.lan"), "{line}");
        assert_eq!(Line { host: Some("hub.lan"), ..LINE }.fit(120), LINE.fit(120), "it is the first to go");
        let line = LINE.fit(80);
        assert!(line.contains("3.0 GiB of 4.0 GiB  100 MiB/s"), "{line}");
        assert!(line.starts_with("SmolLM2") && line.contains("…") && line.contains(".gguf"), "{line}");
        let line = LINE.fit(60);
        assert!(line.contains("75 %") && line.contains("100 MiB/s"), "{line}");
        assert!(LINE.fit(30).contains("75 %"));
        assert_eq!(LINE.fit(6), "75 %");
    }

    #[test]
    fn the_rest_of_the_time_is_told_in_units_that_suit() {
        let left = |rate| Line { rate: Some(rate), ..LINE }.left();
        assert_eq!(left(1 << 20).as_deref(), Some("18 min"));
        assert_eq!(left(100 << 10).as_deref(), Some("2 h 54 min"));
        assert_eq!((left(0), left(1)), (None, None), "it may never end");
    }
}
