//! What is measured.

use anyhow::{Context, Result, bail};

use crate::door::Door;
use crate::request::Kind;

/// Says what is measured, and how often.
pub(crate) struct Plan {
    pub(crate) doors: Vec<Door>,
    pub(crate) kinds: Vec<Kind>,
    /// In bytes.
    pub(crate) sizes: Vec<usize>,
    pub(crate) rounds: usize,
    /// To one door in one round.
    pub(crate) requests: usize,
    /// How many ticks of the watch are measured instead.
    pub(crate) ticks: Option<usize>,
}

impl Plan {
    pub(crate) fn of(arguments: &[String]) -> Result<Self> {
        let mut plan = Self {
            doors: vec![
                Door::Floor,
                Door::Refusing,
                Door::Gate(None),
                Door::Watched,
                Door::ExtAuthz,
            ],
            kinds: Kind::ALL.into(),
            sizes: vec![512, 2_048, 16_384, 65_536],
            rounds: 9,
            requests: 1_500,
            ticks: None,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').context("expected `name=value`")?;
            match name {
                "kinds" => plan.kinds = value.split(',').map(kind).collect::<Result<_>>()?,
                "sizes" => plan.sizes = value.split(',').map(number).collect::<Result<_>>()?,
                "rounds" => plan.rounds = number(value)?,
                "requests" => plan.requests = number(value)?,
                "watch" => plan.ticks = Some(number(value)?),
                "module" => plan.doors.push(Door::Gate(Some(value.into()))),
                _ => bail!("nothing is called `{name}`"),
            }
        }
        Ok(plan)
    }
}

fn kind(name: &str) -> Result<Kind> {
    let mut kinds = Kind::ALL.into_iter();
    let kind = kinds.find(|kind| kind.as_str() == name);
    kind.with_context(|| format!("no kind is called `{name}`"))
}

fn number(text: &str) -> Result<usize> {
    text.parse()
        .with_context(|| format!("`{text}` is no number"))
}
