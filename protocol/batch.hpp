// The body of a batch send (protocol reference 3.2, T12, T19): records of i32 size, i32 magic, i32 crc, i32
// flag, i32 body length, body, i16 properties length, properties. Magic and crc are 0 and not looked at.
#pragma once

#include "base/byte_buffer.hpp"
#include "base/result.hpp"
#include "protocol/limits.hpp"

#include <optional>
#include <string_view>

namespace holdfast::protocol {

struct batch_message {
    std::int32_t flag = 0;
    byte_view body{};
    std::string_view properties{};
};

inline constexpr std::size_t batch_message_fixed_bytes = 22;

// Properties must be within limits::max_properties_bytes: checked.
void append_batch_message(byte_buffer& out, const batch_message& message);

// Walks a batch body; used like stored_message_reader. Stops with an error after `max_messages`.
class batch_reader {
  public:
    explicit batch_reader(byte_view body, std::size_t max_messages = limits::max_batch_messages)
        : rest_(body), left_(max_messages) {}

    // The next message, an error once if the bytes can't be followed, then and at the end nothing.
    [[nodiscard]] std::optional<result<batch_message>> next();

  private:
    byte_view rest_;
    std::size_t left_;
};

// How many messages a batch holds, all of it checked: at least one, all well-formed.
[[nodiscard]] result<std::size_t> check_batch(byte_view body,
                                              std::size_t max_messages = limits::max_batch_messages);

} // namespace holdfast::protocol
