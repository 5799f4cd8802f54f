// A stored record as clients see it: what only the index knows, and what became of it since it was written.
//
//   a message        its queue offset
//   lean             REAL_TOPIC and REAL_QID behind its properties, which the log does not repeat
//   by reference     storeTimestamp is when it came into its queue, as if it had been stored then: so times
//                    never fall along a queue
//   committed half   sysFlag says so, and preparedTransactionOffset is its own position
//   given-up half    it is a plain message of TRANS_CHECK_MAX_TIME_TOPIC, which says in REAL_TOPIC and
//   REAL_QID
//                    where it would have gone and in TRANSACTION_CHECK_TIMES how often its producers were
//                    asked
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "broker/command.hpp"
#include "protocol/stored_message.hpp"
#include "storage/delivery_index.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::broker {

// Bytes that REAL_TOPIC and REAL_QID add to a lean record.
[[nodiscard]] std::size_t origin_bytes(std::string_view topic, queue_number queue);
// Bytes that TRANSACTION_CHECK_TIMES adds to a record.
[[nodiscard]] std::size_t check_times_bytes(std::uint32_t checks);
// Bytes of a record that is served from its own queue.
[[nodiscard]] std::uint32_t served_size(command_kind kind, const protocol::stored_message_view& record);
// The same for a half that was given up, from its size in its own queue.
[[nodiscard]] std::uint32_t given_up_size(std::uint32_t served, std::size_t topic_bytes,
                                          std::uint32_t checks);

class served_record {
  public:
    // The record at `offset` of a verified `entry`. `settled`: what brought it into its queue; nothing for a
    // message that was written into it, and for a half that is shown to its producer.
    //   corrupted   no record is there
    static result<served_record> of(byte_view entry, std::size_t offset,
                                    const std::optional<storage::settled_record>& settled);

    // Behind the other properties.
    void add_property(std::string_view name, std::string_view value);

    [[nodiscard]] std::size_t size() const;
    // Writes size() bytes.
    void write(queue_offset at, std::byte* to) const;

  private:
    served_record() = default;
    void write_added(std::byte* to, std::byte* end) const;
    void write_as_given_up(std::byte* to) const;
    void mark_decided(std::byte* to) const;

    byte_view stored_;
    command_kind kind_{};
    std::optional<storage::settled_record> settled_;
    protocol::stored_message_view message_; // of all but plain messages
    std::string added_;                     // properties
};

} // namespace holdfast::broker
