//! What a report means to the engine.

use serde_json::Value;
use streamforge_events::{Report, ReportStatus};

use crate::{
    batch_set::BatchSet,
    made::Made,
    reduce::{Heard, What},
    restated::Restated,
};

/// The report as the engine's input; none if it is about no task.
#[must_use]
pub(crate) fn heard(report: &Report) -> Option<Heard> {
    let batch = report.batch.as_deref().and_then(|batch| batch.parse().ok());
    let what = match report.status {
        ReportStatus::Started => What::Started,
        ReportStatus::Loading => match batch {
            Some(batch) => match Restated::read(report.extra.as_ref()) {
                Some(restated) => What::Restated { batch, rows: report.records_written, restated },
                None => What::Stored { batch, rows: report.records_written },
            },
            None => What::Progressed,
        },
        ReportStatus::Finished => finished(report.extra.as_ref()),
        ReportStatus::Interrupted if report.finished => What::Interrupted,
        ReportStatus::Interrupted => What::HandedOn,
        ReportStatus::Error => What::Failed {
            message: report.error_message.clone().unwrap_or_else(|| report.message.clone()),
            is_final: report.finished,
            batch,
        },
        ReportStatus::Pong => return None,
    };
    Some(Heard { task: report.task.clone()?, attempt: report.attempt, what })
}

/// `{"batches": [0, 1, 2], "complete_until": 1722500000000}` and what [`Made`] reads; a loader that found nothing
/// announces no batches.
fn finished(extra: Option<&Value>) -> What {
    let field = |name: &str| extra.and_then(|extra| extra.get(name));
    let batches = field("batches").and_then(Value::as_array);
    let numbers: Vec<u64> = batches.into_iter().flatten().filter_map(Value::as_u64).collect();
    let is_whole = batches.is_none_or(|batches| batches.len() == numbers.len());
    let failed = |message| What::Failed { message, is_final: true, batch: None };
    match (BatchSet::of(&numbers), Made::read(extra)) {
        (Some(announced), Ok(made)) if is_whole => {
            What::Finished { announced, complete_until: field("complete_until").and_then(Value::as_i64), made }
        }
        (Some(_), Err(words)) if is_whole => failed(words),
        _ => failed("the loader announced batches that no task can have".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_loader_announces_is_read_or_refused_as_a_whole() {
        let announced = |batches: &[u64]| What::Finished {
            announced: BatchSet::of(batches).expect("small numbers"),
            complete_until: Some(7),
            made: Made::default(),
        };
        let whole = json!({"batches": [0, 2], "complete_until": 7, "rows": 2000});
        assert_eq!(finished(Some(&whole)), announced(&[0, 2]));
        assert_eq!(finished(Some(&json!({"complete_until": 7}))), announced(&[]));
        for batches in [json!([0, -1]), json!([70_000]), json!(["0"])] {
            let what = finished(Some(&json!({"batches": batches})));
            assert!(matches!(what, What::Failed { is_final: true, .. }), "{batches}");
        }
    }
}
