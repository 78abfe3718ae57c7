//! What can happen, as data: what is other than usual, when, and what has to be said.

use hookgate_watch::verdict::Cause;

use crate::traffic::{Effect, USUAL};

/// Something that happens.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What has to be said; `None` where nothing has to.
    pub(crate) expect: Option<Cause>,
    /// How long it is looked at, in hours.
    pub(crate) hours: u64,
    /// From which second on what is other than usual; the last that has begun counts.
    pub(crate) phases: &'static [(u64, Effect)],
    /// Median delays at base rates of 1/s, 0.2/s and 0.01/s in seconds, where the design
    /// has measured them.
    pub(crate) anchors: Option<[f64; 3]>,
}

const MINUTE: u64 = 60;

pub(crate) const SCENARIOS: [Scenario; 19] = [
    Scenario {
        name: "all types at 3 times",
        expect: Some(Cause::LegitimateSpike),
        hours: 3,
        phases: &[(
            0,
            Effect {
                types: [3.0; 4],
                ..USUAL
            },
        )],
        anchors: None,
    },
    Scenario {
        name: "one type at 5 times",
        expect: Some(Cause::LegitimateSpike),
        hours: 3,
        phases: &[(
            0,
            Effect {
                types: [1.0, 5.0, 1.0, 1.0],
                ..USUAL
            },
        )],
        anchors: Some([50.0, 80.0, 960.0]),
    },
    Scenario {
        name: "one type at twice",
        expect: Some(Cause::LegitimateSpike),
        hours: 24,
        phases: &[(
            0,
            Effect {
                types: [1.0, 2.0, 1.0, 1.0],
                ..USUAL
            },
        )],
        anchors: Some([350.0, 800.0, 10_080.0]),
    },
    Scenario {
        name: "forged by one source",
        expect: Some(Cause::ForgedSignatures),
        hours: 1,
        phases: &[(
            0,
            Effect {
                forged: (1.0, 1),
                ..USUAL
            },
        )],
        anchors: Some([10.0; 3]),
    },
    Scenario {
        name: "forged by 2,000 sources",
        expect: Some(Cause::ForgedSignatures),
        hours: 1,
        phases: &[(
            0,
            Effect {
                forged: (5.0, 2_000),
                ..USUAL
            },
        )],
        anchors: Some([10.0; 3]),
    },
    Scenario {
        name: "slow-loris",
        expect: Some(Cause::SlowLoris),
        hours: 1,
        phases: &[
            (
                0,
                Effect {
                    held: (12.0, 20.0),
                    ..USUAL
                },
            ),
            (
                30,
                Effect {
                    held: (200.0, 20.0),
                    ..USUAL
                },
            ),
        ],
        anchors: None,
    },
    Scenario {
        name: "cascade",
        expect: Some(Cause::Cascade),
        hours: 3,
        phases: &[
            (
                0,
                Effect {
                    latency: 10.0,
                    ..USUAL
                },
            ),
            (
                2 * MINUTE,
                Effect {
                    latency: 20.0,
                    failures: 0.3,
                    ..USUAL
                },
            ),
            (
                5 * MINUTE,
                Effect {
                    latency: 30.0,
                    failures: 0.6,
                    repeats: 0.6,
                    ..USUAL
                },
            ),
        ],
        anchors: None,
    },
    Scenario {
        name: "one type silent",
        expect: Some(Cause::SeriesSilent),
        hours: 24,
        phases: &[(
            0,
            Effect {
                types: [1.0, 0.0, 1.0, 1.0],
                ..USUAL
            },
        )],
        anchors: Some([50.0, 130.0, 1_980.0]),
    },
    Scenario {
        name: "one type at 20 %",
        expect: Some(Cause::SeriesSilent),
        hours: 24,
        phases: &[(
            0,
            Effect {
                types: [1.0, 0.2, 1.0, 1.0],
                ..USUAL
            },
        )],
        anchors: Some([270.0, 550.0, 7_200.0]),
    },
    Scenario {
        name: "one type at half",
        expect: Some(Cause::SeriesSilent),
        hours: 48,
        phases: &[(
            0,
            Effect {
                types: [1.0, 0.5, 1.0, 1.0],
                ..USUAL
            },
        )],
        anchors: Some([650.0, 1_040.0, 17_280.0]),
    },
    Scenario {
        name: "all silent",
        expect: Some(Cause::AllSilent),
        hours: 6,
        phases: &[(
            0,
            Effect {
                types: [0.0; 4],
                ..USUAL
            },
        )],
        anchors: Some([50.0, 130.0, 1_980.0]),
    },
    Scenario {
        name: "silent failure",
        expect: Some(Cause::SilentFailure),
        hours: 6,
        phases: &[(
            0,
            Effect {
                overdue: 0.5,
                ..USUAL
            },
        )],
        anchors: None,
    },
    Scenario {
        name: "duplicate storm",
        expect: Some(Cause::DuplicateStorm),
        hours: 6,
        phases: &[(
            0,
            Effect {
                repeats: 3.0,
                ..USUAL
            },
        )],
        anchors: None,
    },
    Scenario {
        name: "stolen secret",
        expect: Some(Cause::SecretSuspect),
        hours: 3,
        phases: &[(
            0,
            Effect {
                stolen: 0.1,
                ..USUAL
            },
        )],
        anchors: None,
    },
    Scenario {
        name: "deploy: 503 for 10 s",
        expect: None,
        hours: 24,
        phases: &[
            (
                0,
                Effect {
                    failures: 1.0,
                    ..USUAL
                },
            ),
            (10, USUAL),
        ],
        anchors: None,
    },
    Scenario {
        name: "daylight saving",
        expect: None,
        hours: 7 * 24,
        phases: &[(
            0,
            Effect {
                shift: 3_600,
                ..USUAL
            },
        )],
        anchors: None,
    },
    Scenario {
        name: "holiday: 60 % for a day",
        expect: None,
        hours: 48,
        phases: &[
            (
                0,
                Effect {
                    types: [0.6; 4],
                    ..USUAL
                },
            ),
            (24 * 3_600, USUAL),
        ],
        anchors: None,
    },
    Scenario {
        name: "growth of 3 % a week",
        expect: None,
        hours: 28 * 24,
        phases: &[(
            0,
            Effect {
                growth: 0.03,
                ..USUAL
            },
        )],
        anchors: None,
    },
    Scenario {
        name: "nothing",
        expect: None,
        hours: 14 * 24,
        phases: &[(0, USUAL)],
        anchors: None,
    },
];
