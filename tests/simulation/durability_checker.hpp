// What a node promised, and whether its log still holds it after a restart: the simulation's oracle.
//
// It reads the log itself, entry by entry, and counts queue offsets on its own, so that it does not believe
// broker/state. What it has found once is promised from then on.
#pragma once

#include "storage/log_scanner.hpp"
#include "tests/simulation/simulated_node.hpp"

#include <map>
#include <string>
#include <vector>

namespace holdfast::simulation {

struct promised_message {
    std::uint64_t name = 0;
    queue_key queue;
    queue_offset offset;
    log_position record;
    friend bool operator==(const promised_message&, const promised_message&) = default;
};

// One message of a draft that was handed over: its name, and the place of its record in the entry.
struct drafted_message {
    std::uint64_t name = 0;
    queue_key queue;
    std::size_t place = 0;
};

class durability_checker {
  public:
    static constexpr const char* group = "group";

    // A batch was answered OK.
    void answered(const std::vector<drafted_message>& messages, const broker::applied_batch& batch);
    void topic_answered(std::uint32_t number, log_position entry);
    void commit_tried(queue_key queue, queue_offset next);
    void commit_answered(queue_key queue, queue_offset next, log_position entry);

    // ASYNC_FLUSH promises only what is below `durable` when the power goes.
    void power_cut(log_position durable);

    // Reads the log of a node that was just started. What is wrong; empty = nothing.
    std::string check(simulated_node& node);

    [[nodiscard]] std::size_t messages() const { return messages_.size(); }

  private:
    struct commits {
        std::map<log_position, queue_offset> answered; // by entry
        queue_offset tried{-1};
    };

    result<void> read(const storage::scanned_entry& entry);
    std::string compare(simulated_node& node);

    std::map<std::uint64_t, promised_message> messages_;
    std::map<queue_key, commits> commits_;
    std::map<std::uint32_t, log_position> topics_; // by number, which is the name, their first entry

    std::map<std::uint64_t, promised_message> found_;
    std::map<queue_key, queue_offset> lengths_;
};

// A stored record whose body is the name and `size` bytes more.
void write_record(std::span<std::byte> to, std::uint64_t name, queue_key queue, std::size_t size);
[[nodiscard]] std::size_t record_size(std::size_t size);

} // namespace holdfast::simulation
