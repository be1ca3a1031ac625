//! The page of a run: one file of HTML with its charts in it, which asks for nothing from elsewhere. The same run gives the same bytes.

mod charts;
mod html;

use std::fmt::Write as _;

use crate::CLOCK_HZ;
use crate::record::{Point, Sample};
use crate::scenario::{Outcome, Recording, Table};

use charts::{Chart, Line, colour};
use html::escaped;

/// Cycles of a microsecond.
const CYCLES_PER_MICRO: u64 = CLOCK_HZ / 1_000_000;
/// Bars of a distribution.
const BARS: usize = 40;

/// A chart that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a chart cannot be drawn: {0}")]
pub struct ReportError(String);

/// What stands at the head of the page.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The scenario's name.
    pub name: &'a str,
    /// What it shows.
    pub about: &'a str,
}

/// The page.
///
/// # Errors
/// A chart cannot be drawn.
pub fn page(head: Head, outcome: &Outcome) -> Result<String, ReportError> {
    let mut body = String::new();
    let name = escaped(head.name);
    let verdict = match &outcome.failure {
        None => format!("<p class=\"good\">Passed. Checks that hold: {}.</p>", outcome.held.len()),
        Some(failure) => format!("<p class=\"bad\">Failed: {}.</p>", escaped(failure)),
    };
    let _ = write!(body, "<h1>{name}</h1>\n<p class=\"about\">{}</p>\n{verdict}\n", escaped(head.about));
    let _ = writeln!(
        body,
        "<p>{} cycles, which are {} at {} MHz; {} bytes on the link, both ways.</p>",
        outcome.cycles,
        time(outcome.cycles),
        CLOCK_HZ / 1_000_000,
        outcome.bytes
    );
    let _ = writeln!(body, "<h2>What happened</h2>\n<pre>{}</pre>", escaped(&outcome.story.join("\n")));
    html::list(&mut body, "What was checked", &outcome.held);
    outcome.tables.iter().for_each(|table| html::table(&mut body, table));
    for recording in &outcome.recordings {
        play(&mut body, recording)?;
    }
    Ok(html::document(head.name, &body))
}

fn play(body: &mut String, recording: &Recording) -> Result<(), ReportError> {
    let title = if recording.title.is_empty() { "The run" } else { &recording.title };
    let _ = writeln!(body, "<section>\n<h2>{}</h2>", escaped(title));
    legend(body, recording.samples.processors());
    let _ = writeln!(body, "<div class=\"charts\">");
    over_time(body, recording)?;
    latency(body, recording)?;
    let _ = writeln!(body, "</div>");
    recording.tables.iter().for_each(|table| html::table(body, table));
    let rows = |rows: Vec<Vec<String>>, title: &str, columns: [&str; 2]| Table { rows, ..Table::new(title, columns) };
    let counted = recording.counters.iter().map(|(name, count)| vec![name.clone(), count.to_string()]).collect();
    let set = recording.configuration.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
    let _ = writeln!(body, "<div class=\"beside\">");
    html::table(body, &rows(counted, "Counters", ["counter", "count"]));
    html::table(body, &rows(set, "Configuration", ["what", "set to"]));
    let _ = writeln!(body, "</div>\n</section>");
    Ok(())
}

fn legend(body: &mut String, processors: usize) {
    let entry = |number| {
        let charts::Colour(r, g, b) = colour(number);
        format!("<span><i style=\"background:#{r:02x}{g:02x}{b:02x}\"></i>processor {number}</span>")
    };
    let entries: Vec<_> = (0..processors).map(entry).collect();
    let _ = writeln!(body, "<p class=\"legend\">{}</p>", entries.join(" "));
}

/// One chart with a line for each processor; or a sentence, if there is nothing to see.
struct View {
    title: &'static str,
    axis: &'static str,
    what: fn(&Point) -> u64,
    nothing: &'static str,
}

const VIEWS: [View; 5] = [
    View {
        title: "Receive queues: frames waiting, most of each interval",
        axis: "frames",
        what: |point| point.receive,
        nothing: "No frame waited for a processor.",
    },
    View {
        title: "Message queues: messages waiting for each processor",
        axis: "messages",
        what: |point| point.messages,
        nothing: "No message between processors was seen waiting.",
    },
    View {
        title: "Packets forwarded to the owner of their session (67.5), since the beginning",
        axis: "packets",
        what: |point| point.forwarded,
        nothing: "No packet was forwarded to another processor.",
    },
    View {
        title: "Packets rerouted because a processor was busy (68.3), since the beginning",
        axis: "packets",
        what: |point| point.rerouted,
        nothing: "No packet was rerouted.",
    },
    View {
        title: "Inbound post queues: messages of the host waiting for each processor (69.2)",
        axis: "MFAs",
        what: |point| point.inbound.posted,
        nothing: "No message of the host was seen waiting.",
    },
];

/// Something of the whole system in an interval.
type OfWhole = fn(&Sample) -> u64;

fn over_time(body: &mut String, recording: &Recording) -> Result<(), ReportError> {
    let samples = &recording.samples;
    let range = samples.range();
    let processors = 0..samples.processors();
    let mut quiet = Vec::new();
    let load = processors.clone().map(|number| {
        let percent = samples.load(number).into_iter().map(|(cycle, share)| (cycle, 100.0 * share)).collect();
        Line { colour: colour(number), points: percent }
    });
    figure(
        body,
        &Chart { title: "Load: cycles in which a processor did not wait", axis: "%", range, least_top: 100.0 },
        &load.collect::<Vec<_>>(),
    )?;
    for view in VIEWS {
        let lines: Vec<_> = processors
            .clone()
            .map(|number| Line { colour: colour(number), points: samples.of(number, view.what) })
            .collect();
        show(
            body,
            &mut quiet,
            &Chart { title: view.title, axis: view.axis, range, least_top: 1.0 },
            &lines,
            view.nothing,
        )?;
    }
    let outbound: [(&str, OfWhole, usize); 2] = [
        ("Outbound post queue: messages waiting for the host (69.2)", |sample| sample.outbound.posted, 0),
        ("Outbound free queue: frames that processors may take (69.2)", |sample| sample.outbound.free, 1),
    ];
    for (title, what, number) in outbound {
        let line = [Line { colour: colour(number), points: samples.whole(what) }];
        let nothing = "The outbound queues were not used.";
        show(body, &mut quiet, &Chart { title, axis: "MFAs", range, least_top: 1.0 }, &line, nothing)?;
    }
    quiet.dedup();
    if !quiet.is_empty() {
        let _ = writeln!(body, "<p class=\"quiet\">{}</p>", quiet.join(" "));
    }
    Ok(())
}

fn show(
    body: &mut String,
    quiet: &mut Vec<&'static str>,
    chart: &Chart,
    lines: &[Line],
    nothing: &'static str,
) -> Result<(), ReportError> {
    if lines.iter().all(|line| line.points.iter().all(|point| point.1 == 0.0)) {
        quiet.push(nothing);
        return Ok(());
    }
    figure(body, chart, lines)
}

fn figure(body: &mut String, chart: &Chart, lines: &[Line]) -> Result<(), ReportError> {
    let drawing = chart.lines(lines)?;
    let _ = writeln!(body, "<figure><figcaption>{}</figcaption>\n{drawing}</figure>", escaped(chart.title));
    Ok(())
}

fn latency(body: &mut String, recording: &Recording) -> Result<(), ReportError> {
    let latency = &recording.latency;
    if latency.count() == 0 {
        return Ok(());
    }
    let (bars, width) = latency.bars(BARS);
    let drawing = charts::bars(&bars, width)?;
    let _ = writeln!(
        body,
        "<figure><figcaption>Latency, {}: {} of them; median {}, 99 of 100 within {}, most {}</figcaption>\n{drawing}</figure>",
        escaped(&recording.latency_of),
        latency.count(),
        time(latency.at(500)),
        time(latency.at(990)),
        time(latency.most())
    );
    Ok(())
}

/// Cycles as time.
fn time(cycles: u64) -> String {
    let micros = cycles as f64 / CYCLES_PER_MICRO as f64;
    if micros < 1_000.0 { format!("{micros:.2} µs") } else { format!("{:.3} ms", micros / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Distribution, Pair, Samples};

    const HEAD: Head = Head { name: "a-run", about: "Something <small> & quick." };

    fn outcome() -> Outcome {
        let sample = |k: u64| {
            let point = |number: u64| Point {
                busy: k * 100 * (number + 1) / 4,
                receive: k % (3 + number),
                messages: 0,
                inbound: Pair::default(),
                forwarded: k * number,
                rerouted: 0,
            };
            Sample { cycle: 1000 * k, processors: (0..4).map(point).collect(), outbound: Pair::default() }
        };
        let mut latency = Distribution::default();
        (0..100).for_each(|k| latency.add(1000 + k * k));
        let mut table = Table::new("Connections", ["from", "processor"]);
        table.row([&"<b>10.0.0.9</b>", &3]);
        let recording = Recording {
            title: "low load".into(),
            configuration: vec![("seed".into(), "7".into())],
            samples: Samples((0..200).map(sample).collect()),
            latency_of: "in to out".into(),
            latency,
            counters: vec![("frames".into(), 12345)],
            tables: vec![table],
        };
        Outcome {
            story: vec!["it began".into(), "1 < 2".into()],
            held: vec!["one is one".into()],
            failure: None,
            cycles: 199_000,
            bytes: 64,
            recordings: vec![recording],
            ..Outcome::default()
        }
    }

    #[test]
    fn a_page_says_everything_and_asks_for_nothing() {
        let page = page(HEAD, &outcome()).unwrap();
        for expected in [
            "<title>a-run",
            "Something &lt;small&gt; &amp; quick.",
            "Checks that hold: 1.",
            "1 &lt; 2",
            "low load",
            "&lt;b&gt;10.0.0.9&lt;/b&gt;",
            "12345",
            "seed",
            "1.592 ms",
            "processor 3",
            "Load:",
            "Receive queues",
            "forwarded to the owner",
            "No packet was rerouted.",
            "The outbound queues were not used.",
            "in to out",
        ] {
            assert!(page.contains(expected), "{expected}");
        }
        // Load, receive queues, forwarded, latency.
        assert_eq!(page.matches("<svg").count(), 4);
        assert!(page.matches("<polyline").count() >= 12);
        for foreign in ["<script", "<link", "@import", "url(", "src=", "href="] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        // The name of SVG's vocabulary is no address that anybody asks.
        let addresses = page.matches("://").count();
        assert_eq!(addresses, page.matches("http://www.w3.org/2000/svg").count());
    }

    #[test]
    fn the_same_run_is_the_same_page_and_another_is_not() {
        let (one, mut other) = (outcome(), outcome());
        assert_eq!(page(HEAD, &one).unwrap(), page(HEAD, &one.clone()).unwrap());
        other.recordings[0].samples.0[50].processors[1].receive += 1;
        assert_ne!(page(HEAD, &one).unwrap(), page(HEAD, &other).unwrap());
    }

    #[test]
    fn a_failure_stands_at_the_top_and_an_empty_run_is_drawn_too() {
        let failed = Outcome { failure: Some("it does not hold that 1 > 2".into()), ..Outcome::default() };
        let page = page(HEAD, &failed).unwrap();
        assert!(page.contains("Failed: it does not hold that 1 &gt; 2.") && !page.contains("Passed"));
        let nothing = Outcome { recordings: vec![Recording::default()], ..Outcome::default() };
        assert!(super::page(HEAD, &nothing).unwrap().contains("The run"));
    }
}
