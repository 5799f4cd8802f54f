// What the broker has promised, and whether it kept it: the oracle of the crash tests.
//
// Producers and consumers write down, from any thread, what they tried, what was answered OK and what was
// read; verify() then asks a restarted broker for everything it has. What was found once must stay where it
// is from then on, answered or not.
//
// Every message has a name of its own, producer and number, at the beginning of its body; the rest of the
// body follows from the name. Nothing is sent twice under one name.
#pragma once

#include "client/send_result.hpp"
#include "protocol/stored_message.hpp"
#include "tests/crash/wire_client.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace holdfast::crash {

struct message_name {
    std::uint32_t producer = 0;
    std::uint32_t number = 0;
    [[nodiscard]] std::uint64_t packed() const { return (std::uint64_t{producer} << 32U) | number; }
};

std::string make_body(message_name name, std::size_t size);

struct queue_place {
    std::string topic;
    std::int32_t queue = 0;
    friend auto operator<=>(const queue_place&, const queue_place&) = default;
};

class ledger {
  public:
    ledger(std::vector<std::string> topics, std::int32_t queues);

    [[nodiscard]] const std::vector<std::string>& topics() const { return topics_; }
    [[nodiscard]] std::int32_t queues() const { return queues_; }

    // A producer's number; its messages are then numbered in the order in which they are sent.
    std::uint32_t new_producer();
    message_name new_message(std::uint32_t producer);

    // `names` were sent as one batch, or one alone, and this came back.
    void answered(const std::string& topic, std::span<const message_name> names,
                  const client::send_result& answer);
    void topic_made(const std::string& topic);
    // A consumer was given it.
    void consumed(const queue_place& queue, const protocol::stored_message_view& record);

    void commit_tried(const queue_place& queue, std::int64_t next);
    void commit_answered(const queue_place& queue, std::int64_t next);
    [[nodiscard]] std::int64_t committed(const queue_place& queue);

    // Reads everything from the broker. What is wrong; empty = nothing.
    std::string verify(const server_address& broker);

    [[nodiscard]] std::uint64_t messages_answered() const { return answered_; }
    [[nodiscard]] std::uint64_t messages_kept() const { return known_.size(); }
    [[nodiscard]] std::uint64_t commits_answered() const { return commits_answered_; }

    static constexpr const char* group = "crash-group";

  private:
    struct place {
        queue_place queue;
        std::int64_t offset = -1;
        std::int64_t position = -1;
        friend bool operator==(const place&, const place&) = default;
    };
    struct commits {
        std::int64_t answered = -1;
        std::int64_t most_tried = -1;
    };

    void fail(const std::string& problem);
    void know(std::uint64_t name, place where, const char* who);
    bool check_queue(wire_client& client, const queue_place& queue);
    bool check_record(const queue_place& queue, std::int64_t expected,
                      const protocol::stored_message_view& record);
    bool check_commit(wire_client& client, const queue_place& queue);
    void check_all_found();

    const std::vector<std::string> topics_;
    const std::int32_t queues_;

    std::mutex mutex_;
    std::vector<std::uint32_t> sent_; // by producer
    std::vector<std::string> made_topics_;
    std::unordered_map<std::uint64_t, place> known_;
    std::map<queue_place, commits> commits_;
    std::uint64_t answered_ = 0;
    std::uint64_t commits_answered_ = 0;
    std::string problem_; // the first

    std::unordered_map<std::uint64_t, place> found_;                            // while verifying
    std::map<std::pair<queue_place, std::uint32_t>, std::uint32_t> last_found_; // number by producer
};

} // namespace holdfast::crash
