#include "client/call.hpp"

namespace holdfast::client {

namespace {

errc kind_of(call_failure_kind kind) {
    switch (kind) {
    case call_failure_kind::unreachable:
    case call_failure_kind::full:
    case call_failure_kind::closed:
        return errc::unavailable;
    case call_failure_kind::connection_lost:
        return errc::io_failed;
    case call_failure_kind::timed_out:
        return errc::timed_out;
    }
    return errc::internal;
}

errc kind_of(protocol::response_code code) {
    switch (code) {
    case protocol::response_code::topic_not_exist:
    case protocol::response_code::query_not_found:
    case protocol::response_code::subscription_group_not_exist:
        return errc::not_found;
    case protocol::response_code::no_permission:
        return errc::permission_denied;
    case protocol::response_code::request_code_not_supported:
        return errc::not_supported;
    case protocol::response_code::message_illegal:
    case protocol::response_code::invalid_parameter:
    case protocol::response_code::subscription_parse_failed:
        return errc::invalid_argument;
    default:
        return errc::unavailable;
    }
}

} // namespace

bool is_fail_over(const call_outcome& outcome) {
    if (outcome.failure == nullptr)
        return outcome.reply->command().response() == protocol::response_code::service_not_available;
    return outcome.failure->kind == call_failure_kind::unreachable ||
           outcome.failure->kind == call_failure_kind::connection_lost ||
           outcome.failure->kind == call_failure_kind::timed_out;
}

bool may_be_done(const call_outcome& outcome) {
    return outcome.failure != nullptr && (outcome.failure->kind == call_failure_kind::connection_lost ||
                                          outcome.failure->kind == call_failure_kind::timed_out);
}

error to_error(const call_outcome& outcome) {
    if (outcome.failure != nullptr)
        return {kind_of(outcome.failure->kind), outcome.failure->text};
    const auto& command = outcome.reply->command();
    return {kind_of(command.response()), describe_response(command.code(), command.remark())};
}

} // namespace holdfast::client
