//! What Envoy shows to Prometheus, read as Prometheus reads it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};

/// One sample of an exposition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The metric, with `_bucket`, `_sum` or `_count` for a histogram's.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value as it is written.
    pub value: String,
}

impl Sample {
    /// Tells whether the sample has all of these labels with these values.
    #[must_use]
    pub fn has(&self, labels: &[(&str, &str)]) -> bool {
        let mut wanted = labels.iter();
        wanted.all(|(label, value)| self.labels.get(*label).is_some_and(|own| own == value))
    }

    /// Returns the labels' names.
    #[must_use]
    pub fn label_names(&self) -> BTreeSet<&str> {
        self.labels.keys().map(String::as_str).collect()
    }
}

/// All samples of one moment, and the kind of each metric.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    /// The samples, in their order.
    pub samples: Vec<Sample>,
    /// What `# TYPE` says of each metric.
    pub kinds: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads the text format, version 0.0.4.
    ///
    /// # Errors
    /// A line is no sample.
    pub fn parse(text: &str) -> Result<Self> {
        let mut read = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').context("a type without a kind")?;
                read.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let sample = sample(line).with_context(|| format!("no sample: `{line}`"))?;
                read.samples.push(sample);
            }
        }
        Ok(read)
    }

    /// Adds up the whole numbers of a metric, where the labels are these.
    ///
    /// # Errors
    /// A value is no whole number, as a gauge below 0.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Result<u64> {
        let mut sum = 0;
        for sample in &self.samples {
            if sample.name == name && sample.has(labels) {
                let value: u64 = sample
                    .value
                    .parse()
                    .with_context(|| format!("no whole number: {sample:?}"))?;
                // A gauge that was counted down too often wraps.
                sum += u32::try_from(value)
                    .map(u64::from)
                    .with_context(|| format!("out of every range: {sample:?}"))?;
            }
        }
        Ok(sum)
    }

    /// Returns the values that a label has in a metric.
    #[must_use]
    pub fn values(&self, name: &str, label: &str) -> BTreeSet<String> {
        let own = self.samples.iter().filter(|sample| sample.name == name);
        own.filter_map(|sample| sample.labels.get(label).cloned())
            .collect()
    }
}

fn sample(line: &str) -> Result<Sample> {
    let (series, value) = line.rsplit_once(' ').context("no value")?;
    let (name, mut rest) = series.split_once('{').unwrap_or((series, "}"));
    let mut labels = BTreeMap::new();
    while rest != "}" {
        let (label, after) = rest.split_once("=\"").context("no label")?;
        // None of the door's names can have what has to be escaped.
        let (value, after) = after.split_once('"').context("no end of a value")?;
        if value.contains('\\') {
            bail!("an escape");
        }
        if labels.insert(label.to_owned(), value.to_owned()).is_some() {
            bail!("`{label}` twice");
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# TYPE door_a counter
door_a{x=\"1\",y=\"p\"} 3
door_a{x=\"2\",y=\"p\"} 4

# TYPE door_b gauge
door_b 7
door_a_c{x=\"1\"} 1.5
";

    #[test]
    fn reads_samples_with_their_labels() -> Result<()> {
        let read = Exposition::parse(TEXT)?;
        assert_eq!(read.samples.len(), 4);
        assert_eq!(read.sum("door_a", &[])?, 7);
        assert_eq!(read.sum("door_a", &[("x", "2"), ("y", "p")])?, 4);
        assert_eq!(read.sum("door_a", &[("x", "3")])?, 0);
        assert_eq!(read.sum("door_b", &[])?, 7);
        assert_eq!(read.kinds.get("door_b").map(String::as_str), Some("gauge"));
        assert_eq!(read.values("door_a", "x").len(), 2);
        Ok(())
    }

    #[test]
    fn refuses_what_is_no_number_or_no_sample() -> Result<()> {
        let read = Exposition::parse(TEXT)?;
        assert!(read.sum("door_a_c", &[]).is_err());
        let wrapped = Exposition::parse("door_b 18446744073709551615\n")?;
        assert!(wrapped.sum("door_b", &[]).is_err());
        for bad in [
            "door_a",
            "door_a{x=1} 1",
            "door_a{x=\"1} 1",
            "a{x=\"1\",x=\"1\"} 1",
        ] {
            assert!(Exposition::parse(bad).is_err(), "{bad}");
        }
        Ok(())
    }
}
