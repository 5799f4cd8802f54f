// Which parts of the log are needed by what came later, so that retention does not take them.
//
// A delayed message waits in its record until it is due; a committed or delivered record is in its queue from
// then on, however old its bytes are. So a part of the log may go when it is old itself, nothing in it waits,
// and the last time it was given to a queue is as long ago as well. Counted in blocks of the log. Part of the
// state: changed by apply only.
#pragma once

#include "base/ids.hpp"

#include <cstdint>
#include <map>

namespace holdfast::broker {

class reference_ledger {
  public:
    static constexpr unsigned block_bits = 26;

    struct block_use {
        std::uint32_t pending = 0;       // delayed messages that are not due yet
        log_position referenced_at;      // the last entry that gave one of its records to a queue
        timestamp_ms referenced_at_time; // and that entry's time

        friend bool operator==(const block_use&, const block_use&) = default;
    };

    // Each returns the block's number.
    std::uint64_t parked(log_position record);
    std::uint64_t unparked(log_position record);
    std::uint64_t referenced(log_position record, log_position entry, timestamp_ms when);

    struct limit {
        log_position first;      // the log may begin here
        log_position references; // no entry at or behind this one gave a record below `first` to a queue
    };
    // The log shall begin at `wanted`, and nothing that was given to a queue after `oldest_kept` may go.
    [[nodiscard]] limit lower(log_position wanted, timestamp_ms oldest_kept) const;
    void forget_below(log_position first);

    void restore(std::uint64_t block, const block_use& use) { blocks_[block] = use; }
    [[nodiscard]] const std::map<std::uint64_t, block_use>& blocks() const { return blocks_; }

  private:
    std::map<std::uint64_t, block_use> blocks_;
};

} // namespace holdfast::broker
