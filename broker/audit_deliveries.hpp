// The part of an audit that is about messages that were in no queue at first: undecided halves, delayed
// messages that wait, and what became of the others.
//
// Each half or delayed message that the log ever settled must be settled in the same way in the derived
// store; each delayed one that it did not settle must wait in the table. Looked up in pieces, so that memory
// does not grow with the log; undecided halves are in memory anyway.
#pragma once

#include "broker/audit_report.hpp"
#include "broker/state.hpp"
#include "storage/derived_store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace holdfast::broker {

class delivery_audit {
  public:
    // `stored`: what the store holds otherwise.
    delivery_audit(std::string directory, const storage::derived_store& store, const state& stored,
                   audit_report& report)
        : directory_(std::move(directory)), store_(store), stored_(stored), report_(report) {}

    // What the next entries below the store's position changed.
    void add(const state_changes& changes);
    // Everything up to the store's position was added; it led to `expected`.
    void compare(const state& expected);

  private:
    // A record of which the store must know what became of it.
    struct expectation {
        log_position position;
        std::optional<storage::settled_record> fate; // nothing: it was delayed and does not wait any more
    };

    void look_up_delayed(const delayed_message& message);
    void look_up_settled();
    void compare_block(std::vector<storage::settled_record> known,
                       std::vector<expectation>::const_iterator first,
                       std::vector<expectation>::const_iterator last);
    void compare_halves(const state& expected);
    void compare_delayed(const state& expected);
    void complain(std::string what, std::optional<log_position> position = {});

    const std::string directory_;
    const storage::derived_store& store_;
    const state& stored_;
    audit_report& report_;
    std::vector<expectation> expected_;
    std::uint64_t waiting_ = 0; // found in the table
    std::uint64_t settled_ = 0; // by the log
};

} // namespace holdfast::broker
