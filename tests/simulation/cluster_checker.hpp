// The oracle of the cluster simulation: what the group has committed, as its nodes applied it, and what was
// answered. Each function says what is wrong; empty = nothing.
//
// It reads entries itself (log_model), so that it does not believe broker/state.
#pragma once

#include "broker/replica.hpp"
#include "tests/simulation/durability_checker.hpp"
#include "tests/simulation/log_model.hpp"
#include "tests/simulation/simulated_node.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::simulation {

class cluster_checker {
  public:
    // A node applied this entry, or has it in its log below what it has applied. All nodes must have the
    // same, one behind the other (State Machine Safety, thesis figure 3.2).
    std::string committed(const std::string& node, byte_view entry);
    // A node shows these from now on.
    std::string shows(const std::string& node, const broker::queue_run& run) const;
    // It leads in this term: nobody else ever does (Election Safety).
    std::string leads(const std::string& node, term_number term);

    // A batch was answered OK, whatever was in it.
    [[nodiscard]] std::string answered(const broker::applied_batch& batch) const;
    // A batch of messages, halves or delayed messages.
    std::string answered(const std::vector<drafted_message>& messages, const broker::applied_batch& batch);
    std::string topic_answered(const std::string& name);
    std::string commit_answered(queue_key queue, queue_offset next);
    // What is known of a group's offset and of a queue's end: whoever asks from now on must be told at least
    // this much, wherever (linearizability; trap T1 for an offset that is there).
    [[nodiscard]] std::optional<queue_offset> least_offset(queue_key queue) const;
    [[nodiscard]] queue_offset least_end(queue_key queue) const;
    // A node that was sure that it leads says this; `least` is what was known when it was asked.
    std::string offset_told(queue_key queue, std::optional<queue_offset> least,
                            std::optional<queue_offset> told);
    void message_known(queue_key queue, queue_offset offset);
    std::string end_told(queue_key queue, queue_offset least, queue_offset told);
    // What a client was told that became of its half: never anything else from then on.
    std::string decision_answered(log_position half, queue_offset outcome);

    // A node that has applied all of it: is its state, and what it shows, what the log says?
    [[nodiscard]] std::string compare(const std::string& node, const simulated_node& has) const;
    // At the end: all that was answered is there.
    [[nodiscard]] std::string find_all_answered() const;

    [[nodiscard]] std::size_t messages() const { return model_.messages(); }
    [[nodiscard]] std::size_t delayed() const { return model_.delayed(); }
    [[nodiscard]] std::size_t terms() const { return leaders_.size(); }

  private:
    log_model model_;
    std::map<log_position, std::uint32_t> entries_; // checksums

    std::map<std::uint64_t, drafted_message> answered_;
    std::map<log_position, queue_offset> decided_;
    std::map<queue_key, queue_offset> offsets_known_; // of the group, by clients
    std::map<queue_key, queue_offset> ends_known_;
    std::map<term_number, std::string> leaders_;
};

} // namespace holdfast::simulation
