// Which undecided halves the transaction coordinator has not heard of yet.
//
// Most transactions are decided within milliseconds, so nobody is told of a half when it is stored. This
// walks the table of undecided ones along the log, which is the order of their age, and finds those that
// became old. The few that want to be asked about sooner than that are noted when they come.
#pragma once

#include "base/ids.hpp"
#include "broker/transaction_table.hpp"

#include <chrono>
#include <deque>
#include <vector>

namespace holdfast::broker {

class half_walk {
  public:
    // `timeout`: from that age on every half is told of.
    explicit half_walk(std::chrono::milliseconds timeout) : timeout_(timeout) {}

    // What a start finds in the table.
    void start(const transaction_table& table);
    // Halves that are new or changed.
    void note(const std::vector<half_message>& changed);

    // Those that nobody was told of, each once, at most `most`; fewer: there are no more now.
    [[nodiscard]] std::vector<half_message> next(const transaction_table& table, timestamp_ms now,
                                                 std::size_t most);

  private:
    [[nodiscard]] bool is_hasty(const half_message& half) const;

    const std::chrono::milliseconds timeout_;
    std::deque<log_position> hasty_; // those with a time of their own that is shorter
    log_position next_{0};           // the walk has seen what is below
};

} // namespace holdfast::broker
