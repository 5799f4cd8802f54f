// What a committed log means, worked out in the plainest way from its bytes: the oracle's own reading, so
// that it does not believe broker/state.
#pragma once

#include "broker/command.hpp"
#include "broker/delivery_records.hpp"
#include "broker/records.hpp"
#include "broker/state.hpp"
#include "storage/delivery_index.hpp"
#include "storage/entry.hpp"
#include "tests/simulation/derived_view.hpp"
#include "tests/simulation/durability_checker.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace holdfast::simulation {

class log_model {
  public:
    // The next entry of the log, not a filler. What is wrong with it; empty = nothing.
    std::string read(const storage::entry_header& header, byte_view entry);

    // What an entry's commands must be answered with (broker::state::apply). Empty for one not read yet.
    [[nodiscard]] std::vector<queue_offset> outcomes(log_position entry) const;
    [[nodiscard]] const promised_message* find(std::uint64_t name) const;
    [[nodiscard]] bool has_committed(queue_key queue, queue_offset next) const;
    [[nodiscard]] const auto& topics() const { return topics_; }
    [[nodiscard]] std::size_t messages() const { return records_.size(); }
    [[nodiscard]] std::size_t delayed() const { return delayed_.size(); }

    // What a replica shows of a queue must be what the log says.
    [[nodiscard]] std::string compare(const broker::queue_run& run) const;
    // A replica that has applied all of it.
    [[nodiscard]] std::string compare(const broker::state& state) const;
    [[nodiscard]] std::string compare(const derived_view& view, log_position log_first) const;

  private:
    struct half {
        std::uint32_t checks = 0;
        queue_key queue;
    };
    struct reading {
        const storage::entry_header& header;
        std::vector<queue_offset>& outcomes;
    };

    std::string read(const broker::command_view& command, reading& in);
    std::string read_record(const broker::command_view& command, reading& in);
    std::string read_delivery(const broker::command_view& command, reading& in);
    std::string decide(const broker::decision& decided, reading& in);
    std::string check(const broker::half_check& check, const reading& in);
    std::string deliver(const broker::deliveries& due, reading& in);
    std::string cancel(const broker::cancellations& cancelled, reading& in);
    std::string commit(const broker::offset_commit& committed);
    std::string create_topic(byte_view payload);
    std::string show(queue_key queue, log_position record, bool by_reference, queue_offset& offset);
    [[nodiscard]] std::string compare_topics(const broker::state& state) const;
    [[nodiscard]] std::string compare_waiting(const broker::state& state) const;

    struct shown {
        log_position record;
        bool by_reference = false;
    };
    std::map<log_position, std::vector<queue_offset>> outcomes_; // by entry
    std::map<std::uint64_t, promised_message> records_;          // by name
    std::map<queue_key, std::vector<shown>> queues_;
    std::map<log_position, queue_key> shown_; // each record that is in a queue, once
    std::map<log_position, half> halves_;
    std::map<storage::delay_key, queue_key> delayed_;
    std::map<log_position, storage::settled_record> settled_;
    std::uint64_t delay_version_ = 0;
    std::map<queue_key, queue_offset> offsets_; // of the one group, and all it ever had
    std::map<queue_key, std::set<queue_offset>> committed_;
    std::vector<std::string> topics_; // in the order of their ids, from 1
};

} // namespace holdfast::simulation
