//! Decode speed against depth, as a picture.

use anyhow::Result;
use plotters::prelude::*;

use crate::point::Work;
use crate::report::{Measured, Report};

/// What is drawn: one model with one number of threads.
pub(crate) struct Plot {
    title: String,
    /// The machine and the commits.
    notes: Vec<String>,
    lines: Vec<Line>,
}

/// One side at every depth.
#[derive(Debug, PartialEq)]
struct Line {
    name: &'static str,
    color: RGBColor,
    /// Depth in tokens, and tokens per second; shallowest first.
    points: Vec<(u32, f64)>,
}

impl Plot {
    /// Takes what a report says of decode; nothing if it says nothing of it.
    pub(crate) fn new(report: &Report) -> Option<Self> {
        let depth = |measured: &Measured| match measured.point.work {
            Work::Decode { depth, .. } => Some(depth),
            _ => None,
        };
        let mut decode: Vec<_> =
            report.points.iter().filter_map(|measured| Some((depth(measured)?, measured))).collect();
        decode.sort_by_key(|(depth, _)| *depth);
        let point = &decode.first()?.1.point;
        let line = |name, color, rate: fn(&Measured) -> f64| {
            let points = decode.iter().map(|(depth, measured)| (*depth, rate(measured))).collect();
            Line { name, color, points }
        };
        let machine = &report.machine;
        Some(Self {
            title: format!("Decode speed by depth: {}, {} threads", point.model_name(), point.threads),
            notes: vec![
                format!("{}, {} threads, {}", machine.processor, machine.threads, machine.system),
                format!("stack {}, llama.cpp {}; medians", machine.commit, report.peer_commit),
            ],
            // Where the peer's default is its best, the default lies on top.
            lines: vec![
                line("llama.cpp, best at each depth", VERMILION, |measured| measured.best().1),
                line("llama.cpp, default", GRAY, Measured::default_rate),
                line("stack", BLUE, |measured| measured.ours.median()),
            ],
        })
    }

    /// Draws it; the same plot is the same text.
    ///
    /// Both axes begin at zero.
    pub(crate) fn to_svg(&self) -> Result<String> {
        let mut svg = String::new();
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let text = |size: u32| TextStyle::from((FontFamily::SansSerif, size)).color(&BLACK);
        root.draw_text(&self.title, &text(24), (MARGIN, 16))?;
        for (note, y) in self.notes.iter().zip((48..).step_by(20)) {
            root.draw_text(note, &text(16), (MARGIN, y))?;
        }
        // Above the curves and not among them, where they would hide each other; our side first.
        for (line, x) in self.lines.iter().rev().zip((MARGIN..).step_by(190)) {
            root.draw(&PathElement::new([(x, 104), (x + 24, 104)], line.color.stroke_width(3)))?;
            root.draw_text(line.name, &text(16), (x + 32, 97))?;
        }
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let deepest = points().map(|(depth, _)| *depth).max().unwrap_or_default().max(1);
        let fastest = points().map(|(_, rate)| *rate).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(&root)
            .margin(MARGIN)
            .margin_top(TOP)
            .x_label_area_size(X_LABELS)
            .y_label_area_size(Y_LABELS)
            .build_cartesian_2d(0..deepest, 0.0..fastest * HEADROOM)?;
        chart
            .configure_mesh()
            .x_desc("tokens in the cache")
            .y_desc("tokens per second")
            .y_label_formatter(&|rate| format!("{rate:.*}", usize::from(fastest < 10.0)))
            .label_style(text(15))
            .bold_line_style(BLACK.mix(0.15))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for Line { color, points, .. } in &self.lines {
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, color.filled())))?;
        }
        root.present()?;
        drop(chart);
        drop(root);
        Ok(svg)
    }
}

const WIDTH: u32 = 860;

const HEIGHT: u32 = 540;

const MARGIN: i32 = 20;

/// What the title, the notes and the names of the lines take.
const TOP: i32 = 130;

const X_LABELS: i32 = 50;

const Y_LABELS: i32 = 70;

/// How much higher the axis is than the fastest point.
const HEADROOM: f64 = 1.1;

// Colours that the colour-blind tell apart.
const BLUE: RGBColor = RGBColor(0, 114, 178);

const VERMILION: RGBColor = RGBColor(213, 94, 0);

const GRAY: RGBColor = RGBColor(110, 110, 110);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stack_benches::Machine;

    use super::*;
    use crate::peer::Config;
    use crate::point::Point;
    use crate::process::Turn;

    fn turn(rates: &[f64]) -> Turn {
        Turn::new(rates.to_vec(), String::new())
    }

    /// Measures that our side, the peer's default and another configuration have these medians.
    fn measured(work: Work, [ours, default, other]: [f64; 3]) -> Measured {
        let mut measured = Measured::new(Point::new(Path::new("a<b>&\"c\".gguf"), 2, work));
        measured.ours.add(turn(&[ours + 7.0, ours, ours - 1.0]));
        measured.peer(Config::DEFAULT).add(turn(&[default]));
        measured.peer(Config::of(&work)[1]).add(turn(&[other]));
        measured
    }

    fn report() -> Report {
        let machine = Machine {
            processor: "a processor".to_owned(),
            threads: 8,
            system: "a system".to_owned(),
            commit: "0123abc".to_owned(),
        };
        let mut report = Report::new(machine, "4567def".to_owned());
        report.add(measured(Work::Decode { tokens: 64, depth: 4096 }, [25.0, 10.0, 20.0]));
        report.add(measured(Work::Prefill { tokens: 512, depth: 0 }, [500.0, 400.0, 300.0]));
        report.add(measured(Work::Decode { tokens: 64, depth: 0 }, [100.0, 50.0, 40.0]));
        report.add(measured(Work::Decode { tokens: 64, depth: 1024 }, [50.0, 40.0, 30.0]));
        report
    }

    #[test]
    fn a_plot_has_the_medians_of_decode_by_depth() {
        let plot = Plot::new(&report()).unwrap();
        let points: Vec<_> = plot.lines.iter().map(|line| line.points.as_slice()).collect();
        assert_eq!(
            points,
            [
                [(0, 50.0), (1024, 40.0), (4096, 20.0)],
                [(0, 50.0), (1024, 40.0), (4096, 10.0)],
                [(0, 100.0), (1024, 50.0), (4096, 25.0)],
            ]
        );
    }

    #[test]
    fn a_report_without_decode_has_no_plot() {
        let mut report = report();
        report.points.retain(|measured| matches!(measured.point.work, Work::Prefill { .. }));
        assert!(Plot::new(&report).is_none());
    }

    #[test]
    fn points_land_where_their_values_are() {
        let svg = Plot::new(&report()).unwrap().to_svg().unwrap();
        let circles: Vec<(f64, f64)> = svg
            .lines()
            .filter(|line| line.starts_with("<circle"))
            .map(|line| (attribute(line, "cx"), attribute(line, "cy")))
            .collect();
        let (left, right) = (f64::from(MARGIN + Y_LABELS), f64::from(WIDTH) - f64::from(MARGIN));
        let (top, bottom) = (f64::from(TOP), f64::from(HEIGHT) - f64::from(MARGIN + X_LABELS));
        let at = |depth: f64, rate: f64| {
            (left + depth / 4096.0 * (right - left), bottom - rate / (100.0 * HEADROOM) * (bottom - top))
        };
        let ours = [at(0.0, 100.0), at(1024.0, 50.0), at(4096.0, 25.0)];
        assert_eq!(circles.len(), 9);
        for (is, should) in circles[6..].iter().zip(ours) {
            let distance = (is.0 - should.0).abs().max((is.1 - should.1).abs());
            assert!(distance <= 1.0, "{is:?} is not {should:?}");
        }
    }

    #[test]
    fn a_plot_says_what_was_measured_on_what() {
        let svg = Plot::new(&report()).unwrap().to_svg().unwrap();
        for label in [
            "a&lt;b&gt;&amp;&quot;c&quot;, 2 threads",
            "a processor, 8 threads, a system",
            "stack 0123abc, llama.cpp 4567def",
            "llama.cpp, default",
        ] {
            assert!(svg.contains(label), "{label} is not in {svg}");
        }
        assert!(!svg.contains("a<b>"), "{svg}");
    }

    #[test]
    fn the_same_plot_is_the_same_text() {
        let svg = || Plot::new(&report()).unwrap().to_svg().unwrap();
        assert_eq!(svg(), svg());
    }

    /// Returns a number that is an attribute of an element.
    fn attribute(element: &str, name: &str) -> f64 {
        let (_, value) = element.split_once(&format!(" {name}=\"")).unwrap();
        value.split_once('"').unwrap().0.parse().unwrap()
    }
}
