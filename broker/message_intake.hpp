// From a send request to commands in an entry: what is checked, what the broker changes, what is refused with
// which code (protocol reference 3.2, 6.1, 6.2; traps T6, T7, T12, T13, T20).
//
// Plain code: a producer_session drives it. It owns nothing but scratch memory.
#pragma once

#include "base/ids.hpp"
#include "broker/entry_draft.hpp"
#include "broker/records.hpp"
#include "broker/send_properties.hpp"
#include "protocol/codes.hpp"
#include "protocol/host.hpp"
#include "protocol/send_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::broker {

// An answer other than OK, with words for the person who reads the client's log.
struct refusal {
    protocol::response_code code{};
    std::string remark;
};

struct intake_settings {
    std::string cluster_name;          // the property CLUSTER of every message
    std::size_t max_message_bytes = 0; // of one body; of a whole batch
    std::size_t max_entry_bytes = 0;   // what the log takes at once
    protocol::ipv4_host store_host;    // the address that clients know this broker by
    delay_rules delays;
    bool rejects_transactions = false; // rejectTransactionMessage
};

// What a send became.
struct taken_send {
    queue_number queue;
    std::uint32_t messages = 0;
    // Of a message with a time of its own: how 370 can name it (protocol reference 7.6).
    timestamp_ms recall_at{0};
    std::string recall_key; // its UNIQ_KEY
};

class message_intake {
  public:
    explicit message_intake(intake_settings settings);

    // What can be said before the topic is known: names, reserved topics, features that are not there.
    [[nodiscard]] static std::optional<refusal> check_request(const protocol::send_message_request& request);

    // The time of the sends to come; for delays.
    void set_now(timestamp_ms now) { now_ = now; }

    // Adds the messages of `request` to `draft`, and the place of each record within the entry to `places`.
    // Nothing is added when it is refused. `spread` chooses the queue when the client leaves that to the
    // broker.
    std::optional<refusal> take(const protocol::send_message_request& request, const topic_config& topic,
                                const protocol::ipv4_host& born_host, std::uint32_t spread,
                                entry_draft& draft, std::vector<std::uint32_t>& places, taken_send& taken);

    // An upper bound of the room that a single message takes in an entry, from the size of its frame.
    [[nodiscard]] std::size_t room_for(std::size_t frame_bytes) const { return frame_bytes + fixed_room_; }
    // The same for a batch as well, of which the frame says little: each of its messages is stored with a
    // header, the topic and what the broker adds.
    [[nodiscard]] std::size_t most_room_for(const protocol::send_message_request& request,
                                            const topic_config& topic, std::size_t frame_bytes) const;

  private:
    std::optional<refusal> take_batch(const protocol::send_message_request& request,
                                      const topic_config& topic, const protocol::ipv4_host& born_host,
                                      entry_draft& draft, std::vector<std::uint32_t>& places,
                                      taken_send& taken);
    std::optional<refusal> add(const protocol::send_message_request& request, const topic_config& topic,
                               const protocol::ipv4_host& born_host, queue_number queue, std::int32_t flag,
                               byte_view body, std::string_view properties, entry_draft& draft,
                               std::vector<std::uint32_t>& places, taken_send& taken);
    // Whether the properties leave room for all that the broker adds, now and later (T20).
    [[nodiscard]] result<void> check_room(const protocol::send_message_request& request,
                                          const send_properties& meant, const topic_config& topic) const;
    // What the broker adds to the properties.
    std::string_view added_properties(const protocol::send_message_request& request,
                                      const send_properties& meant, bool half);
    std::string_view without_transaction(std::string_view properties);

    intake_settings settings_;
    timestamp_ms now_{0};
    std::string cluster_property_;
    std::string added_; // scratch
    std::size_t fixed_room_;
    std::string scratch_; // properties without WAIT
    std::string plain_;   // and without TRAN_MSG
};

} // namespace holdfast::broker
