//! The page's HTML.

use std::fmt::Write as _;

use crate::scenario::Table;

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;color:#222;background:#fff;max-width:76rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.7rem;margin:0}h2{font-size:1.25rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
.about{font-size:1.1rem;color:#444;margin:.3rem 0 1rem}
.good,.bad{display:inline-block;padding:.2rem .7rem;border-radius:.3rem;margin:0}
.good{background:#e3f4e3;color:#145214}.bad{background:#fbe3e0;color:#7a1a10}
pre{background:#f6f6f4;padding:.8rem;overflow-x:auto;font-size:13px;line-height:1.45}
section{border-top:1px solid #ddd;margin-top:2rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(30rem,1fr));gap:1rem}
figure{margin:0}figcaption{font-weight:600;font-size:.9rem}svg{max-width:100%;height:auto;display:block}
.legend span{margin-right:1rem;white-space:nowrap}.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.3em}
.quiet{color:#555}.beside{display:flex;flex-wrap:wrap;gap:0 3rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:.15rem .7rem .15rem 0;text-align:left;border-bottom:1px solid #eee;vertical-align:top}th{color:#555;font-weight:600}
";

/// Text between tags.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} - pointsman</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title)
    )
}

pub(super) fn list(body: &mut String, title: &str, entries: &[String]) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(body, "<h2>{}</h2>\n<ul>", escaped(title));
    for entry in entries {
        let _ = writeln!(body, "<li>{}</li>", escaped(entry));
    }
    let _ = writeln!(body, "</ul>");
}

pub(super) fn table(body: &mut String, table: &Table) {
    let cells = |tag: &str, cells: &[String]| -> String {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
    };
    let _ = writeln!(body, "<div class=\"scroll\"><h3>{}</h3>\n<table>", escaped(&table.title));
    let _ = writeln!(body, "<tr>{}</tr>", cells("th", &table.columns));
    for row in &table.rows {
        let _ = writeln!(body, "<tr>{}</tr>", cells("td", row));
    }
    let _ = writeln!(body, "</table></div>");
}
