//! The rows of the requirements, and which of them the name of a test names.

use std::fmt;
use std::str::Split;

/// A row's number, such as 68.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    paragraph: u8,
    number: u8,
}

impl Id {
    /// The id that `text` is.
    fn parse(text: &str) -> Option<Self> {
        let (paragraph, number) = text.split_once('.')?;
        Some(Self { paragraph: paragraph.parse().ok()?, number: number.parse().ok()? })
    }

    /// All from `self` to `last`, if both are of one paragraph.
    fn up_to(self, last: Self) -> Option<impl Iterator<Item = Self>> {
        let is_range = self.paragraph == last.paragraph && self.number < last.number;
        is_range.then(|| (self.number..=last.number).map(move |number| Self { number, ..self }))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.paragraph, self.number)
    }
}

/// A behaviour that somebody must be able to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub id: Id,
    /// One sentence.
    pub behaviour: String,
    /// Why it has no test yet.
    pub outstanding: Option<String>,
}

/// The rows of a document: the lines of its tables that begin with an id.
pub fn rows(document: &str) -> Vec<Row> {
    document.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let id = Id::parse(cells.next()?)?;
    let behaviour = cells.next()?.to_owned();
    let outstanding = cells.next().filter(|reason| !reason.is_empty()).map(str::to_owned);
    Some(Row { id, behaviour, outstanding })
}

/// The rows that the name of a test begins with; none if it is not written as it should be.
pub fn named_by(name: &str) -> Vec<Id> {
    read_name(name).unwrap_or_default()
}

fn read_name(name: &str) -> Option<Vec<Id>> {
    let mut words = name.strip_prefix("row_")?.split('_');
    let mut named = vec![next_id(&mut words)?];
    loop {
        let mut ahead = words.clone();
        match (ahead.next(), next_id(&mut ahead)) {
            (Some("and"), Some(id)) => named.push(id),
            (Some("to"), Some(last)) => {
                let first = named.pop()?;
                named.extend(first.up_to(last)?);
            }
            _ => break,
        }
        words = ahead;
    }
    // A row in the middle would look as if it counted.
    while let Some(word) = words.next() {
        if word == "row" && next_id(&mut words.clone()).is_some() {
            return None;
        }
    }
    Some(named)
}

fn next_id(words: &mut Split<'_, char>) -> Option<Id> {
    Some(Id { paragraph: words.next()?.parse().ok()?, number: words.next()?.parse().ok()? })
}
