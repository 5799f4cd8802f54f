// The oracle of the cluster simulation: what the group has committed, as its nodes applied it, and what was
// answered. Each function says what is wrong; empty = nothing.
//
// It reads entries itself and counts queue offsets on its own, so that it does not believe broker/state.
#pragma once

#include "broker/replica.hpp"
#include "tests/simulation/durability_checker.hpp"

#include <map>
#include <string>
#include <vector>

namespace holdfast::simulation {

class cluster_checker {
  public:
    // A node applied this entry, or has it in its log below what it has applied. All nodes must have the
    // same, one behind the other (State Machine Safety, thesis figure 3.2).
    std::string committed(const std::string& node, byte_view entry);
    // It leads in this term: nobody else ever does (Election Safety).
    std::string leads(const std::string& node, term_number term);

    // A batch of messages was answered OK. Without `batch` nobody knows yet where they are.
    std::string answered(const std::vector<drafted_message>& messages, const broker::applied_batch* batch);
    std::string topic_answered(const std::string& name);
    std::string commit_answered(queue_key queue, queue_offset next);

    // A node that has applied all of it: is its state what the log says?
    [[nodiscard]] std::string compare(const std::string& node, const broker::state& state) const;
    // At the end: all that was answered is there.
    [[nodiscard]] std::string find_all_answered() const;

    [[nodiscard]] std::size_t messages() const { return messages_.size(); }
    [[nodiscard]] std::size_t terms() const { return leaders_.size(); }

  private:
    std::string read(const storage::entry_header& header, byte_view entry);
    std::string read_message(const broker::command_view& command, log_position record);

    std::map<log_position, std::uint32_t> entries_; // checksums
    std::map<std::uint64_t, promised_message> messages_;
    std::map<queue_key, queue_offset> lengths_;
    std::map<queue_key, queue_offset> offsets_; // committed by the one group
    std::vector<std::string> topics_;           // in the order of their ids, from 1

    std::map<std::uint64_t, drafted_message> answered_;
    std::map<term_number, std::string> leaders_;
};

} // namespace holdfast::simulation
