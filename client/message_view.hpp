// A received message: a view into the bytes of its pull answer.
//
// Owns nothing and copies nothing; properties are taken apart when they are asked for. Valid as long as the
// delivery it came from. The record's layout is protocol reference 5.1.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "protocol/codes.hpp"
#include "protocol/properties.hpp"
#include "protocol/stored_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::client {

class message_view {
  public:
    // `record` was checked when it was received.
    explicit message_view(byte_view record) : record_(*protocol::decode_stored_message(record)) {}
    explicit message_view(const protocol::stored_message_view& record) : record_(record) {}

    // Of a message that comes from a retry topic: the topic it was sent to.
    [[nodiscard]] std::string_view topic() const {
        return property(protocol::property::retry_topic).value_or(record_.topic);
    }
    // As stored: compressed, if compressed() says so. delivery::body() is decompressed.
    [[nodiscard]] std::string_view stored_body() const { return as_text(record_.body); }
    // The body as the producer gave it: a decompressed copy. Should that fail, the bytes as they are stored.
    [[nodiscard]] std::string plain_body() const;
    [[nodiscard]] bool compressed() const { return (record_.sys_flag & protocol::sys_flag::compressed) != 0; }

    [[nodiscard]] std::string_view tag() const {
        return property(protocol::property::tags).value_or(std::string_view{});
    }
    [[nodiscard]] std::string_view keys() const {
        return property(protocol::property::keys).value_or(std::string_view{});
    }
    [[nodiscard]] std::optional<std::string_view> property(std::string_view name) const {
        return record_.property(name);
    }
    // All of them, the broker's too: `for (auto [name, value] : message.properties())`.
    [[nodiscard]] protocol::properties_view properties() const {
        return protocol::properties_view{record_.properties};
    }

    // What the producer's receipt calls message_id; the broker's id for a producer that gave none.
    [[nodiscard]] std::string message_id() const;
    [[nodiscard]] std::string offset_message_id() const;

    [[nodiscard]] queue_number queue() const {
        return queue_number{static_cast<std::uint32_t>(record_.queue_id)};
    }
    [[nodiscard]] queue_offset offset() const { return record_.offset; }
    [[nodiscard]] timestamp_ms born_at() const { return record_.born; }
    [[nodiscard]] timestamp_ms stored_at() const { return record_.stored; }
    // The broker's handle to it: where it is in the log.
    [[nodiscard]] log_position position() const {
        return log_position{static_cast<std::uint64_t>(record_.physical_offset)};
    }
    [[nodiscard]] std::int32_t sys_flag() const { return record_.sys_flag; }
    [[nodiscard]] std::int32_t flag() const { return record_.flag; }
    // As the broker counts; delivery::reconsume_times() adds the local ones.
    [[nodiscard]] std::uint32_t reconsume_times() const {
        return record_.reconsume_times < 0 ? 0 : static_cast<std::uint32_t>(record_.reconsume_times);
    }
    // Whether the stored body still has the checksum it was stored with.
    [[nodiscard]] bool intact() const { return record_.body_is_intact(); }

  private:
    protocol::stored_message_view record_;
};

} // namespace holdfast::client
