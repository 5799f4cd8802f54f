// Turns an application's message into what goes over the wire (protocol reference 3.2, 5.3, 5.4).
#pragma once

#include "base/result.hpp"
#include "client/message.hpp"
#include "client/producer.hpp"
#include "protocol/message_id.hpp"

#include <span>
#include <string>
#include <string_view>

namespace holdfast::client {

// Whether the message can be sent at all: names, sizes, properties. The error says what to change.
[[nodiscard]] result<void> check_message(const message& outgoing, std::size_t max_bytes);

// RocketMQ's own: an application may not set it.
[[nodiscard]] bool is_reserved_property(std::string_view name);

// KEYS, TAGS, UNIQ_KEY, the delay and the application's own, as one text.
[[nodiscard]] std::string make_properties(const message& outgoing, std::string_view message_id);

// Compresses the body when the options say so and it pays; returns the sysFlag to send.
[[nodiscard]] std::int32_t compress_body(std::string& body, const producer_options& options);

// The records of a batch; every message of it must pass check_message. Fails when it is empty, of several
// topics or over `max_bytes` altogether.
[[nodiscard]] result<std::string> make_batch(std::span<const message> messages, std::size_t max_bytes,
                                             protocol::unique_key_generator& ids, timestamp_ms now);

} // namespace holdfast::client
