//! What to write instead.

use serde::Serialize;

/// Says what kind of change mends a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Verify the bytes as they arrived.
    RawBody,
    /// Decode what a gateway has encoded, and nothing else.
    Decode,
    /// Set the secret as the sender shows it.
    Secret,
    /// Hand the headers on as they came.
    Header,
    /// Send or look again sooner; set the clock.
    Clock,
}

impl Remedy {
    /// Says what to do, in a sentence or two.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::RawBody => {
                "Verify the body's bytes as they arrived, before anything parses, trims, decodes \
                 or escapes them."
            }
            Self::Decode => {
                "Take the event's `body`, decode it where `isBase64Encoded` says so, and verify \
                 these bytes."
            }
            Self::Secret => {
                "Set the secret of this very endpoint exactly as its sender shows it: no quotes, \
                 no line end, neither encoded nor decoded."
            }
            Self::Header => {
                "Hand the header's one value to the library unchanged: its text, not a list, not \
                 a printed form."
            }
            Self::Clock => {
                "Verify deliveries when they arrive, with a clock that is synchronised. A saved \
                 delivery is too old by nature: its signature is right all the same."
            }
        }
    }

    /// Tells whether code shows it better than a sentence.
    #[must_use]
    pub const fn has_code(self) -> bool {
        matches!(self, Self::RawBody | Self::Decode | Self::Header)
    }
}

/// Names a framework that there is code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framework {
    /// Express.
    Express,
    /// Next.js.
    NextJs,
    /// Ruby on Rails.
    Rails,
    /// Django.
    Django,
    /// Spring.
    Spring,
    /// Laravel.
    Laravel,
    /// ASP.NET Core.
    AspNet,
    /// AWS API Gateway with Lambda.
    ApiGateway,
}

impl Framework {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Express,
        Self::NextJs,
        Self::Rails,
        Self::Django,
        Self::Spring,
        Self::Laravel,
        Self::AspNet,
        Self::ApiGateway,
    ];

    /// Returns its own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Express => "Express",
            Self::NextJs => "Next.js",
            Self::Rails => "Rails",
            Self::Django => "Django",
            Self::Spring => "Spring",
            Self::Laravel => "Laravel",
            Self::AspNet => "ASP.NET",
            Self::ApiGateway => "API Gateway",
        }
    }

    /// Returns a whole handler that verifies what arrived.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Express => include_str!("fix/express.js"),
            Self::NextJs => include_str!("fix/nextjs.ts"),
            Self::Rails => include_str!("fix/rails.rb"),
            Self::Django => include_str!("fix/django.py"),
            Self::Spring => include_str!("fix/spring.java"),
            Self::Laravel => include_str!("fix/laravel.php"),
            Self::AspNet => include_str!("fix/aspnet.cs"),
            Self::ApiGateway => include_str!("fix/api_gateway.mjs"),
        }
    }
}
