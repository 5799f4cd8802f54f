// Questions and orders about topics, messages and consumer groups: what the command line needs.
//
// Every call waits for its answer (client_options::request_timeout) and says in words what went wrong.
// Thread-safe.
//
// When the leader of a broker is gone, the next one is asked, for some 2.5 s. Orders that a second time would
// do harm (reset, clone and delete of groups) are repeated only when the old leader has surely not carried
// them out; else the error says that it may have.
#pragma once

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/client_options.hpp"
#include "client/message.hpp"
#include "protocol/cluster_status.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::client {

struct topic_settings {
    std::int32_t read_queues = 8;
    std::int32_t write_queues = 8;
    // Bits: 4 read, 2 write (protocol reference 3.1).
    std::int32_t permission = 6;
};

struct topic_part {
    std::string broker_name;
    std::string broker_address;
    topic_settings settings;
};

struct queue_status {
    message_queue queue;
    queue_offset first; // the oldest message there is
    queue_offset last;  // the next one to be written
};

// A stored message, read back.
struct stored_copy {
    std::string topic;
    queue_number queue;
    queue_offset offset;
    std::string message_id;
    std::string offset_message_id;
    std::string tag;
    std::string keys;
    timestamp_ms born_at;
    timestamp_ms stored_at;
    std::string body; // decompressed
};

struct group_member {
    std::string client_id;
    std::string address;
    std::string language; // as in the protocol: "JAVA", "CPP"
};

// How far a group is in one queue.
struct queue_progress {
    message_queue queue;
    queue_offset next; // the first message that it has not acknowledged
    queue_offset last; // the next one to be written

    [[nodiscard]] std::int64_t behind() const { return last > next ? last - next : 0; }
};

struct group_status {
    std::vector<group_member> members; // empty: nobody consumes now
    bool broadcasting = false;         // as its members say; every member then keeps its own offsets
    std::map<std::string, std::string> subscriptions; // topic to expression
    std::vector<queue_progress> queues;

    [[nodiscard]] std::int64_t behind() const;
};

// Where a reset puts the offsets of a group.
struct reset_target {
    // The first message stored at or after that time; 0 = the oldest, -1 = behind the newest.
    timestamp_ms time{0};
    std::optional<queue_number> queue;  // only this one, on every broker that has it
    std::optional<queue_offset> offset; // instead of a time; needs `queue`
};

class admin {
  public:
    explicit admin(client_options options);
    ~admin();
    admin(const admin&) = delete;
    admin& operator=(const admin&) = delete;

    result<void> start();

    // All topic names the name server knows, sorted.
    result<std::vector<std::string>> topics();
    // Which brokers have the topic, with how many queues. not_found when nobody has.
    result<std::vector<topic_part>> route(std::string_view topic);
    // Creates or changes the topic on every broker of the cluster.
    result<void> create_topic(std::string_view topic, const topic_settings& settings);
    // The offsets of every queue (requests 30 and 31 per queue).
    result<std::vector<queue_status>> status(std::string_view topic);

    // The first offset with a store time at or after `when` (protocol reference 3.4, request 29).
    result<queue_offset> offset_at(const message_queue& queue, timestamp_ms when);
    // By the broker's id (32 hex digits, protocol reference 5.5); asks the broker whose address is in it.
    result<stored_copy> message_by_id(std::string_view offset_message_id);
    // By a word of KEYS, the newest `limit` at most.
    result<std::vector<stored_copy>> messages_by_key(std::string_view topic, std::string_view key,
                                                     std::int32_t limit);

    // The names of all consumer groups, sorted.
    result<std::vector<std::string>> groups();
    // not_found when no broker knows the group.
    result<group_status> group(std::string_view name);
    // Durable when it returns. Consumers that are connected go on from there by themselves. The offsets now,
    // of every queue that was asked for.
    result<std::map<message_queue, queue_offset>> reset_group(std::string_view name, std::string_view topic,
                                                              const reset_target& to);
    // Gives `to` the offsets of `from`, in one topic or, when it is empty, in all. Durable when it returns.
    result<void> clone_group(std::string_view from, std::string_view to, std::string_view topic);
    // With all its offsets, on every broker.
    result<void> delete_group(std::string_view name);

    // Where a message stands, found by the broker's id, its UNIQ_KEY or a word of its KEYS; `topic` may be
    // empty. The broker's answer as it is, JSON. Asks the brokers one after the other until one knows it.
    result<std::string> explain(std::string_view key, std::string_view topic);

    // What the first name server that answers, which is a node of a replica group, says about itself.
    result<protocol::cluster_status> cluster_status();

  private:
    class engine;
    std::shared_ptr<engine> engine_;
};

} // namespace holdfast::client
