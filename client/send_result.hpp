// What became of a send: a receipt, or an error that says whether the message may be stored all the same.
//
// A receipt means: the broker answered code 0, so a Holdfast broker has the message on disk at a majority.
// RocketMQ's half successes (codes 10, 11, 12: stored, but a flush or a replica did not confirm) are errors
// here, because an application that only asks "did it return?" would take them for safe (protocol reference,
// trap T6).
#pragma once

#include "base/check.hpp"
#include "base/ids.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace holdfast::client {

struct send_receipt {
    // The id this client gave the message (property UNIQ_KEY): the same over all retries, so consumers can
    // tell a duplicate by it. Empty for a batch.
    std::string message_id{};
    // The broker's id: its address and the log position (protocol reference 5.5). For a batch joined by ','.
    std::string offset_message_id{};
    std::string broker_name{};
    queue_number queue{};
    // Of a batch: of its first message.
    queue_offset offset{};
    // Of a delayed message, if the broker gives one: what producer::recall takes to cancel it. Else empty.
    std::string recall_handle{};
};

enum class send_error_kind : std::uint8_t {
    stored_but_not_confirmed, // codes 10, 11, 12: in the log of one broker, not known to be safe
    refused,                  // the broker answered an error: response_code says which
    timed_out,                // no answer in time: it may be stored
    connection_lost,          // the connection broke before the answer: it may be stored
    unreachable,              // nobody listens at the address, nothing was sent
    no_route,                 // the name server knows no writable queue for the topic
    invalid,                  // the message or the call is wrong as it stands; nothing was sent
    too_many_in_flight,       // back-pressure; only with when_full::fail
    shut_down,                // the producer is not running
};

std::string_view to_string(send_error_kind kind);

struct send_error {
    send_error_kind kind = send_error_kind::refused;
    // The broker's response code (protocol reference 2), 0 when there was no answer.
    int response_code = 0;
    std::string message;

    // True when sending it again may make a duplicate; false when it is certainly not stored by this call.
    [[nodiscard]] bool may_be_stored() const {
        return kind == send_error_kind::stored_but_not_confirmed || kind == send_error_kind::timed_out ||
               kind == send_error_kind::connection_lost;
    }
};

class [[nodiscard]] send_result {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): as result<T>, so that `return receipt;` reads well
    send_result(send_receipt receipt) : state_(std::in_place_index<0>, std::move(receipt)) {}
    // NOLINTNEXTLINE(google-explicit-constructor)
    send_result(send_error failure) : state_(std::in_place_index<1>, std::move(failure)) {}

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    [[nodiscard]] const send_receipt& receipt() const {
        HOLDFAST_CHECK(ok());
        return std::get<0>(state_);
    }
    [[nodiscard]] const send_error& failure() const {
        HOLDFAST_CHECK(!ok());
        return std::get<1>(state_);
    }

  private:
    std::variant<send_receipt, send_error> state_;
};

using send_callback = std::function<void(const send_result&)>;

} // namespace holdfast::client
