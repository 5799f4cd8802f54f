#include "client/retry_policy.hpp"

#include <algorithm>
#include <string_view>

namespace holdfast::client {

std::string_view to_string(send_error_kind kind) {
    switch (kind) {
    case send_error_kind::stored_but_not_confirmed:
        return "stored but not confirmed";
    case send_error_kind::refused:
        return "refused";
    case send_error_kind::timed_out:
        return "timed out";
    case send_error_kind::connection_lost:
        return "connection lost";
    case send_error_kind::unreachable:
        return "unreachable";
    case send_error_kind::no_route:
        return "no route";
    case send_error_kind::invalid:
        return "invalid";
    case send_error_kind::too_many_in_flight:
        return "too many in flight";
    case send_error_kind::shut_down:
        return "shut down";
    }
    return "unknown";
}

send_verdict judge_response(int response_code) {
    switch (response_code) {
    case 0:
        return send_verdict::stored;
    case 10:
    case 11:
    case 12:
        return send_verdict::not_confirmed;
    case 1:
    case 14:
    case 16:
    case 17:
    case 204:
    case 205:
        return send_verdict::try_elsewhere;
    default:
        return send_verdict::give_up;
    }
}

bool worth_another_try(send_error_kind kind) {
    return kind == send_error_kind::timed_out || kind == send_error_kind::connection_lost ||
           kind == send_error_kind::unreachable;
}

bool is_fail_over(send_error_kind kind, int response_code) {
    constexpr int service_not_available = 14;
    return worth_another_try(kind) ||
           (kind == send_error_kind::refused && response_code == service_not_available);
}

std::chrono::milliseconds fail_over_pause(unsigned questions_before) {
    return std::min(std::chrono::milliseconds{20} * (1U << std::min(questions_before, 4U)),
                    std::chrono::milliseconds{200});
}

std::chrono::milliseconds leader_search_pause(unsigned tries_before) {
    return std::min(std::chrono::milliseconds{50} * (1U << std::min(tries_before, 5U)),
                    std::chrono::milliseconds{1'000});
}

namespace {

std::string_view explain(int response_code) {
    switch (response_code) {
    case 1:
        return "the broker failed";
    case 2:
        return "the broker is overloaded: send more slowly, then again";
    case 3:
        return "the broker does not support this request";
    case 10:
        return "stored, but the flush to disk was not confirmed: it may be lost in a crash";
    case 11:
        return "stored, but no replica is available: it may be lost with the broker";
    case 12:
        return "stored, but no replica confirmed in time: it may be lost with the broker";
    case 13:
        return "the broker finds the message illegal: check its size, properties and names";
    case 14:
        return "the broker does not accept writes now: shutting down, not the leader, or its disk is full";
    case 16:
        return "no permission: check the topic's permission bits and the name";
    case 17:
        return "no such topic: create it with `holdfast topic create`";
    case 23:
        return "the filter expression can't be parsed";
    case 26:
        return "no such consumer group";
    case 29:
        return "the broker finds a parameter invalid: check the topic's name and the queue";
    default:
        return "the broker answered an error";
    }
}

} // namespace

std::string describe_response(int response_code, std::string_view remark) {
    std::string text{explain(response_code)};
    text += " (code " + std::to_string(response_code) + ")";
    if (!remark.empty())
        text.append(": ").append(remark);
    return text;
}

} // namespace holdfast::client
