//! The operator's view on AWS, on the functions of template.yaml in this process.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod commands;
mod policy;
mod serve;
mod stage;
mod view;

use crate::stage::AwsStage;

// What the contract asks beyond these, SQS and DynamoDB do not have: sums of what was sent, messages by order, and a list of
// all orders by their age. `view` says what holds instead.
messaging_contract::contract_tests!(made; system_contract {
    orders_are_counted_by_their_status,
    an_order_is_among_the_unsettled_until_it_is_settled,
    orders_of_a_status_are_listed_alone,
    a_page_after_what_is_no_cursor_is_refused,
    an_order_that_does_not_exist_has_an_empty_case,
    a_system_at_rest_has_no_differences,
    an_order_under_way_is_no_difference,
    a_dead_letter_is_a_difference_until_it_is_discarded,
    a_letter_keeps_its_id_its_first_time_and_its_attempts_over_redrives,
    one_letter_is_redriven_alone,
    an_unknown_letter_is_neither_redriven_nor_discarded,
});

async fn made() -> (AwsStage, ()) {
    (AwsStage::start().await, ())
}
