//! What every store must do, as functions that a test of each backend calls.
//!
//! A backend implements [`Backend`] and puts itself under the suite with [`store_contract!`](crate::store_contract).
#![expect(clippy::missing_panics_doc, reason = "a broken promise is a panic, that is what the suite is for")]
#![expect(clippy::missing_errors_doc, reason = "a failure of the store fails the test")]

pub mod gaps;
pub mod graphs;
pub mod leases;
pub mod loaded;
pub mod models;
pub mod objects;
pub mod predictions;
mod samples;
pub mod series;
pub mod versions;
pub mod workflows;

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Error, Store};

/// A place for one store, empty at first.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Opens the store once more, as another process would.
    async fn open(&self) -> Result<Arc<dyn Store>, Error>;
}

/// Makes one test of each promise; `$backend` is an expression that makes a fresh [`Backend`], or none to skip the test.
#[macro_export]
macro_rules! store_contract {
    ($backend:expr) => {
        $crate::store_contract! { $backend,
            versions: newer_version_wins, equal_content_changes_nothing, duplicates_report_their_survivor,
                rejects_keep_the_order, empty_batch_is_fine, trades_follow_the_same_rules, versions_come_back;
            series: every_digit_survives, columns_are_the_nearest_doubles, range_is_half_open_and_ascending,
                pages_end_exactly_at_their_limit, trades_are_read_by_time, newest_rows_are_read_first, symbols_of_all_kinds_are_kept_apart,
                unknown_series_is_empty, wrong_kind_is_refused, coverage_reports_gaps,
                coverage_follows_the_calendar, coverage_of_trades_counts_missing_ids, coverage_of_many_rows;
            loaded: ranges_are_merged, racing_marks_are_all_kept;
            gaps: what_was_told_is_kept_once, gap_pages_join, query_selects_gaps, impossible_gap_is_rejected;
            workflows: created_once, lost_swap_shows_the_current_document, missing_document_cannot_be_swapped,
                racing_writers_each_count_once, list_is_newest_first_and_paged, list_filters_by_status,
                foreign_cursor_is_refused, statuses_are_counted,
                overdue_documents_are_found, same_request_is_remembered;
            graphs: graph_is_read_as_it_was_put, older_graph_does_not_win, newest_graph_has_the_highest_version,
                contradictory_graph_is_refused, walk_is_breadth_first, walk_of_a_cycle_ends,
                unknown_graph_or_symbol_is_none;
            predictions: prediction_is_read_as_it_was_put, newer_prediction_wins, impossible_prediction_is_rejected,
                query_selects_predictions, prediction_pages_join, prediction_versions_come_back;
            leases: second_caller_is_told_of_the_first, lease_ends_by_itself, old_fence_is_kept_out,
                late_renewal_wins_if_nobody_came, released_lease_is_free, stuck_holder_is_fenced_by_others, done_work_is_never_given_out,
                racing_callers_get_one_lease, clock_set_back_ends_a_lease_in_time, impossible_lease_is_refused;
        }
    };
    ($backend:expr, $($module:ident: $($name:ident),+;)+) => {
        $(mod $module {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(backend) = $backend {
                    $crate::contract::$module::$name(&backend).await.unwrap();
                }
            })+
        })+
    };
}
