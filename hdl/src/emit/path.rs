//! Names inside rust-hdl's AST: Rust source text such as `a[i+1]$q$next`, made into flattened paths.

/// A loop that is being unrolled: variable and present value.
pub type Loops = [(String, usize)];

/// Replaces every `[expression]` by `$value` and every separator by `$`.
pub fn flatten(raw: &str, loops: &Loops) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        let close = matching_bracket(&rest[open..]).ok_or_else(|| format!("unbalanced brackets in `{raw}`"))?;
        let inner = &rest[open + 1..open + close];
        let value = index_value(inner, loops).ok_or_else(|| {
            format!(
                "the element index in `{}` is not made of literals and loop variables; select with `match`",
                shown(raw)
            )
        })?;
        out.push_str(&format!("${value}"));
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    Ok(out.replace("::", "$").replace('.', "$").trim_start_matches('$').to_string())
}

/// A flattened path as its author wrote it.
pub fn shown(flat: &str) -> String {
    let mut out = String::new();
    for part in flat.split('$') {
        match part.parse::<usize>() {
            Ok(index) => out.push_str(&format!("[{index}]")),
            Err(_) if out.is_empty() => out.push_str(part),
            Err(_) => out.push_str(&format!(".{part}")),
        }
    }
    out
}

fn matching_bracket(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The value of Rust index arithmetic over literals and loop variables.
fn index_value(text: &str, loops: &Loops) -> Option<usize> {
    let mut parser = Arithmetic { rest: text.trim(), loops };
    let value = parser.sum()?;
    parser.rest.trim().is_empty().then_some(value).and_then(|v| usize::try_from(v).ok())
}

struct Arithmetic<'a> {
    rest: &'a str,
    loops: &'a Loops,
}

impl Arithmetic<'_> {
    fn take(&mut self, symbol: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn sum(&mut self) -> Option<i64> {
        let mut value = self.product()?;
        loop {
            if self.take('+') {
                value = value.checked_add(self.product()?)?;
            } else if self.take('-') {
                value = value.checked_sub(self.product()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<i64> {
        let mut value = self.unit()?;
        loop {
            if self.take('*') {
                value = value.checked_mul(self.unit()?)?;
            } else if self.take('/') {
                value = value.checked_div(self.unit()?)?;
            } else if self.take('%') {
                value = value.checked_rem(self.unit()?)?;
            } else {
                return Some(value);
            }
        }
    }

    fn unit(&mut self) -> Option<i64> {
        for (open, close) in [('(', ')'), ('{', '}')] {
            if self.take(open) {
                let value = self.sum()?;
                return self.take(close).then_some(value);
            }
        }
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Some((_, value)) = self.loops.iter().rev().find(|(name, _)| name == word) {
            return i64::try_from(*value).ok();
        }
        integer(word).and_then(|v| i64::try_from(v).ok())
    }
}

/// A Rust integer literal, with underscores, radix prefix and type suffix.
pub fn integer(word: &str) -> Option<u128> {
    let text = word.replace('_', "");
    let text = ["usize", "u128", "u64", "u32", "u16", "u8", "i64", "i32", "i16", "i8", "isize", "i128"]
        .iter()
        .find_map(|suffix| text.strip_suffix(suffix))
        .unwrap_or(&text);
    let radix = |prefix: &str, base: u32| text.strip_prefix(prefix).and_then(|d| u128::from_str_radix(d, base).ok());
    radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)).or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_evaluated_with_the_innermost_loop_variable() {
        let loops = [("i".to_string(), 9), ("i".to_string(), 2), ("j".to_string(), 3)];
        assert_eq!(flatten("a[i+1][(j-1)*2]$q", &loops).unwrap(), "a$3$4$q");
        assert_eq!(flatten(".a.b", &loops).unwrap(), "a$b");
        assert_eq!(flatten("m::State::Idle", &loops).unwrap(), "m$State$Idle");
        assert_eq!(flatten("a[0x1_0usize]", &loops).unwrap(), "a$16");
    }

    #[test]
    fn paths_are_shown_as_they_are_written() {
        assert_eq!(shown("steps$3$held$d"), "steps[3].held.d");
        assert_eq!(shown("a[sel$val()$index()]"), "a[sel.val().index()]");
    }

    #[test]
    fn an_index_that_is_a_signal_is_refused() {
        assert!(flatten("a[sel$val()$index()]", &[]).is_err());
        assert!(flatten("a[0-1]", &[]).is_err());
        assert!(flatten("a[N]", &[]).is_err());
    }
}
