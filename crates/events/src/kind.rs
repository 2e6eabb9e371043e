//! Event types and the topic that each belongs to.

use std::fmt;

use crate::Error;

/// Type of a CloudEvent that StreamForge writes or reads: `io.streamforge.<object>.<what happened>.v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventType {
    /// A user asks for a workflow.
    WorkflowRequested,
    /// A workflow has waited longer than its deadline, so the engine has to look at it.
    WorkflowOverdue,
    /// A workflow has ended: finished, failed or stopped.
    WorkflowFinished,
    /// A task is given to a function.
    ControlStart,
    /// The tasks of a workflow are called off.
    ControlStop,
    /// A function is asked whether it is there.
    ControlPing,
    /// A function tells how a task goes on.
    QueueReported,
    /// A batch of klines has been read from the exchange.
    KlinesLoaded,
    /// A batch of trades has been read from the exchange.
    TradesLoaded,
    /// Differences of an order book came.
    DepthUpdated,
    /// Records of a live stream are missing, or were.
    FeedInterrupted,
    /// A version of a model has been trained and published.
    ModelTrained,
    /// A batch of predictions has been made and stored.
    PredictionMade,
}

impl EventType {
    /// All event types.
    pub const ALL: [Self; 13] = [
        Self::WorkflowRequested,
        Self::WorkflowOverdue,
        Self::WorkflowFinished,
        Self::ControlStart,
        Self::ControlStop,
        Self::ControlPing,
        Self::QueueReported,
        Self::KlinesLoaded,
        Self::TradesLoaded,
        Self::DepthUpdated,
        Self::FeedInterrupted,
        Self::ModelTrained,
        Self::PredictionMade,
    ];

    /// The `type` attribute.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowRequested => "io.streamforge.workflow.requested.v1",
            Self::WorkflowOverdue => "io.streamforge.workflow.overdue.v1",
            Self::WorkflowFinished => "io.streamforge.workflow.finished.v1",
            Self::ControlStart => "io.streamforge.control.start.v1",
            Self::ControlStop => "io.streamforge.control.stop.v1",
            Self::ControlPing => "io.streamforge.control.ping.v1",
            Self::QueueReported => "io.streamforge.queue.reported.v1",
            Self::KlinesLoaded => "io.streamforge.klines.loaded.v1",
            Self::TradesLoaded => "io.streamforge.trades.loaded.v1",
            Self::DepthUpdated => "io.streamforge.depth.updated.v1",
            Self::FeedInterrupted => "io.streamforge.feed.interrupted.v1",
            Self::ModelTrained => "io.streamforge.model.trained.v1",
            Self::PredictionMade => "io.streamforge.prediction.made.v1",
        }
    }

    /// Reads a `type` attribute.
    ///
    /// # Errors
    /// [`Error::EventType`] if it is not one of ours.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Error::EventType(text.chars().take(128).collect()))
    }

    /// The topic, and so the Broker, that events of this type are published to.
    #[must_use]
    pub fn topic(self) -> Topic {
        match self {
            Self::WorkflowRequested | Self::WorkflowOverdue => Topic::Workflows,
            Self::ControlStart | Self::ControlStop | Self::ControlPing => Topic::QueueControl,
            Self::QueueReported | Self::WorkflowFinished | Self::ModelTrained => Topic::QueueEvents,
            Self::KlinesLoaded
            | Self::TradesLoaded
            | Self::DepthUpdated
            | Self::FeedInterrupted
            | Self::PredictionMade => Topic::MarketData,
        }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A shared topic; the Broker in front of it has the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Requests of users.
    Workflows,
    /// Commands, written by the queue manager alone.
    QueueControl,
    /// Telemetry of every worker, trained models, and the ends of workflows.
    QueueEvents,
    /// Batches of records and of predictions.
    MarketData,
}

impl Topic {
    /// The shared topics.
    pub const ALL: [Self; 4] = [Self::Workflows, Self::QueueControl, Self::QueueEvents, Self::MarketData];

    /// The topics that anybody may watch.
    pub const PUBLIC: [Self; 3] = [Self::QueueControl, Self::QueueEvents, Self::MarketData];

    /// Name of the topic and of its Broker.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workflows => "workflows",
            Self::QueueControl => "queue-control",
            Self::QueueEvents => "queue-events",
            Self::MarketData => "market-data",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_parses_to_itself() {
        for kind in EventType::ALL {
            assert_eq!(EventType::parse(kind.as_str()), Ok(kind));
        }
        assert!(EventType::parse("io.streamforge.klines.loaded.v2").is_err());
    }
}
