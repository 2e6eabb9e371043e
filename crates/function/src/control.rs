//! What the host itself does with commands: it answers a ping and remembers a stop.

use streamforge_events::{ControlCommand, Event, EventType, ReportStatus, data};

use crate::{Context, Error};

/// Whether the host answers this type for functions that do not accept it.
pub(crate) fn is_answered_by_host(kind: EventType) -> bool {
    matches!(kind, EventType::ControlPing | EventType::ControlStop)
}

/// Notes which queue is to stop, whoever handles the event afterwards.
pub(crate) fn remember_stop(event: &Event, context: &Context) -> Result<(), Error> {
    let command: ControlCommand = data(event)?;
    context.stops().remember(command.queue_id);
    Ok(())
}

/// The pong to a ping, nothing for a stop.
pub(crate) fn answer(kind: EventType, event: &Event, context: &Context) -> Result<Vec<Event>, Error> {
    if kind != EventType::ControlPing {
        return Ok(Vec::new());
    }
    let command: ControlCommand = data(event)?;
    let pong = context.report(&command, ReportStatus::Pong);
    Ok(vec![context.report_event(event, &pong)?])
}
