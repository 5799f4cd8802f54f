#include "broker/reference_ledger.hpp"

#include "base/check.hpp"

#include <algorithm>

namespace holdfast::broker {
namespace {

std::uint64_t block_of(log_position position) {
    return position.value() >> reference_ledger::block_bits;
}

} // namespace

std::uint64_t reference_ledger::parked(log_position record) {
    ++blocks_[block_of(record)].pending;
    return block_of(record);
}

std::uint64_t reference_ledger::unparked(log_position record) {
    auto& use = blocks_[block_of(record)];
    HOLDFAST_CHECK(use.pending > 0);
    --use.pending;
    return block_of(record);
}

std::uint64_t reference_ledger::referenced(log_position record, log_position entry, timestamp_ms when) {
    auto& use = blocks_[block_of(record)];
    use.referenced_at = entry;
    use.referenced_at_time = when;
    return block_of(record);
}

reference_ledger::limit reference_ledger::lower(log_position wanted, timestamp_ms oldest_kept) const {
    limit found{wanted, log_position{0}};
    for (const auto& [block, use] : blocks_) {
        const log_position begin{block << block_bits};
        if (begin >= found.first)
            break;
        if (use.pending > 0 || use.referenced_at_time > oldest_kept) {
            found.first = begin;
            break;
        }
        found.references = std::max(found.references, use.referenced_at + 1);
    }
    return found;
}

void reference_ledger::forget_below(log_position first) {
    blocks_.erase(blocks_.begin(), blocks_.lower_bound(block_of(first)));
}

} // namespace holdfast::broker
