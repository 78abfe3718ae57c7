//! Files of the benchmark: `timestamp,value`, times as `2014-07-01 00:30:00`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the data files, relative to the folder, in their order by name.
pub(crate) fn files(data: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for category in fs::read_dir(data)? {
        let category = category?.path();
        if !category.is_dir() {
            continue;
        }
        for file in fs::read_dir(category)? {
            let file = file?.path();
            if file.extension().is_some_and(|extension| extension == "csv") {
                found.push(file.strip_prefix(data)?.to_owned());
            }
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(format!("no CATEGORY/FILE.csv in {}", data.display()).into());
    }
    Ok(found)
}

/// Reads the samples of a file: seconds since 1970, and values.
pub(crate) fn read(file: &Path) -> Result<Vec<(u64, f64)>, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    let rows = text.lines().skip(1).map(|line| {
        let (time, value) = line.split_once(',')?;
        Some((seconds(time)?, value.trim().parse().ok()?))
    });
    let rows: Option<Vec<_>> = rows.collect();
    rows.ok_or_else(|| format!("{}: expected `timestamp,value`", file.display()).into())
}

/// Days from civil, Howard Hinnant.
fn seconds(text: &str) -> Option<u64> {
    let mut parts = text.split(['-', ' ', ':']).map(|part| part.parse().ok());
    let mut next = || parts.next().flatten();
    let (year, month, day): (u64, u64, u64) = (next()?, next()?, next()?);
    let (hour, minute, second): (u64, u64, u64) = (next()?, next()?, next()?);
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day;
    let since_1970 = days.checked_sub(719_469)?;
    Some(((since_1970 * 24 + hour) * 60 + minute) * 60 + second)
}
