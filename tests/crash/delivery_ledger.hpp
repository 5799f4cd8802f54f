// What became of each message: the oracle of crash_deliveries_test.
//
// Clients write down, from any thread, what they sent, what was answered and decided, and what a consumer
// group was given. Nothing is sent twice, so a message stands in the queues at most once; what the group did
// with it may bring it to the group more than once.
//
// Promised: every answered plain or delayed message and every transaction that is to be committed, unless a
// recall of it was tried. Forbidden: what is rolled back, was recalled, or nobody has said yet that it is to
// be committed; a delayed message before its time; anything below an offset of the group's that is confirmed;
// and in each queue a message before the one in front of it (delivery_order.hpp).
#pragma once

#include "client/half_message.hpp"
#include "tests/crash/consumer_process.hpp"
#include "tests/crash/delivery_order.hpp"
#include "tests/crash/ledger.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::crash {

[[nodiscard]] std::int64_t now_ms();

class delivery_ledger {
  public:
    delivery_ledger(std::string topic, std::int32_t queues) : topic_(std::move(topic)), queues_(queues) {}

    [[nodiscard]] const std::string& topic() const { return topic_; }
    [[nodiscard]] std::int32_t queues() const { return queues_; }
    // Where the group's messages come from: the topic's queues and the retry topic's.
    [[nodiscard]] std::vector<queue_place> places() const;

    // The message's number, which its body tells.
    std::uint32_t new_plain();
    std::uint32_t new_delayed(std::int64_t delay_ms);
    std::uint32_t new_transaction(bool commits);
    [[nodiscard]] static std::string body_of(std::uint32_t number);

    void answered(std::uint32_t number);
    void recall_tried(std::uint32_t number);
    void recalled(std::uint32_t number);
    // The decision is durable.
    void decided(std::uint32_t number);
    // To be asked for just before it is said: from now on the message may be seen.
    [[nodiscard]] client::transaction_decision decision(std::uint32_t number);
    // For the checker. Of a transaction whose decision is durable it says the opposite, which must change
    // nothing any more; of others now and then that it does not know.
    client::transaction_decision check(std::string_view body);

    // A member of the group was given it and is about to say this.
    void told(std::uint64_t member, const told_delivery& one);
    // The group has no members: whatever they said and did not get done, the next ones are given again.
    void group_is_empty();
    // No consumer of the group is there, and this is its offset.
    void confirmed(const queue_place& queue, std::int64_t next);

    // How many promised messages did not come yet, or have to come again.
    [[nodiscard]] std::size_t missing();
    // Some of them, in words.
    [[nodiscard]] std::string missing_in_words();
    // Reads all queues of the topic: each message at most once, the promised ones there, none that must not
    // be. What is wrong; empty = nothing.
    std::string scan(const server_address& broker);
    // The first thing that went wrong; empty = nothing.
    [[nodiscard]] std::string problem();
    // The same of the order in which everything came.
    [[nodiscard]] std::string problem_of_order();

    struct counts {
        std::uint64_t plain = 0, delayed = 0, commits = 0, rollbacks = 0; // answered
        std::uint64_t unanswered = 0, unanswered_seen = 0;
        std::uint64_t decisions_durable = 0, checks = 0, recalled = 0;
        std::uint64_t deliveries = 0, sent_back = 0, again = 0, acks_confirmed = 0;
        counts& operator+=(const counts& more);
        [[nodiscard]] std::string text() const;
    };
    [[nodiscard]] counts sums();

    static constexpr const char* group = "deliveries-group";

  private:
    enum class kind : std::uint8_t { plain, delayed, transaction };
    struct entry {
        kind what = kind::plain;
        bool commits = true;
        bool commit_said = false;
        bool answered = false;
        bool decided = false;
        bool recall_tried = false;
        bool recalled = false;
        bool comes_again = false; // its last word was none that ends it
        std::int64_t due_ms = 0;
        std::uint32_t deliveries = 0;
        std::string history{}; // of the deliveries
    };

    void delivered(const told_delivery& one);
    void acknowledged_later(const told_delivery& one);
    std::uint32_t add(entry one);
    void fail(const std::string& problem);
    [[nodiscard]] std::string text_of(std::uint32_t number) const;
    // The message with this body; nothing and a failure when there is none.
    entry* find(std::string_view body, std::uint32_t& number);
    void check_allowed(std::uint32_t number, const entry& one, std::int64_t seen_ms,
                       const std::string& where);
    [[nodiscard]] static bool promised(const entry& one);
    [[nodiscard]] static bool is_missing(const entry& one) {
        return (promised(one) && one.deliveries == 0) || one.comes_again;
    }
    void scan_queue(wire_client& client, const queue_place& queue, std::vector<std::uint32_t>& found);
    void scan_record(const queue_place& queue, const protocol::stored_message_view& record,
                     std::vector<std::uint32_t>& found);

    const std::string topic_;
    const std::int32_t queues_;
    std::mutex mutex_;
    std::vector<entry> entries_;
    std::map<queue_place, std::int64_t> confirmed_;
    // By the members there are. What one of them acknowledged, another one that held it before a rebalance
    // sends back without effect.
    std::set<std::pair<queue_place, std::int64_t>> acknowledged_;
    delivery_order order_;
    std::string problem_;
    std::uint64_t checks_ = 0;
    std::uint64_t sent_back_ = 0;
    std::uint64_t deliveries_ = 0;
};

} // namespace holdfast::crash
