#include "broker/audit_deliveries.hpp"

#include "storage/delay_index.hpp"
#include "storage/delivery_index.hpp"

#include <algorithm>
#include <limits>

namespace holdfast::broker {
namespace {

constexpr std::size_t gathered_most = 256U << 10U;
constexpr unsigned block_bits = 20; // those of a block are looked up together
constexpr log_position no_end{std::numeric_limits<std::uint64_t>::max()};

std::uint64_t block_of(log_position position) {
    return position.value() >> block_bits;
}

std::string describe(const storage::settled_record& settled) {
    const auto at = " at queue offset " + std::to_string(settled.offset.value());
    switch (settled.fate) {
    case storage::record_fate::queued:
        return "it was put into its queue" + at;
    case storage::record_fate::rolled_back:
        return "it was rolled back";
    case storage::record_fate::given_up:
        return "it was given up after its last check" + at;
    case storage::record_fate::cancelled:
        return "it was cancelled";
    case storage::record_fate::topic_gone:
        return "its topic was gone";
    }
    return "unknown, number " + std::to_string(static_cast<int>(settled.fate));
}

} // namespace

void delivery_audit::complain(std::string what, std::optional<log_position> position) {
    report_.add({audit_part::derived_store, directory_, position, std::move(what),
                 "stop the node and run `holdfast audit --repair-derived`: it is built again from the log"});
}

void delivery_audit::add(const state_changes& changes) {
    for (const auto& message : changes.delayed)
        look_up_delayed(message);
    for (const auto& settled : changes.settled)
        expected_.push_back({settled.position, settled});
    settled_ += changes.settled.size();
    if (expected_.size() >= gathered_most)
        look_up_settled();
}

void delivery_audit::look_up_delayed(const delayed_message& message) {
    const auto key = storage::delay_store_key(message.key);
    const auto found = message.key > stored_.delay().cursor
                           ? store_.find(key)
                           : result<std::optional<std::string>>{std::nullopt};
    if (!found.ok())
        return complain("the table of delayed messages can't be read: " + found.failure().message);
    if (!*found)
        return expected_.push_back({message.key.position, std::nullopt});
    ++waiting_;
    const auto decoded = storage::decode_delayed(key, **found);
    if (!decoded || !(*decoded == message))
        complain("the delayed message waits with other marks (queue, size or tag) than the log gave it",
                 message.key.position);
}

void delivery_audit::look_up_settled() {
    std::sort(expected_.begin(), expected_.end(),
              [](const auto& one, const auto& other) { return one.position < other.position; });
    for (auto first = expected_.cbegin(); first != expected_.cend();) {
        const auto block = block_of(first->position);
        const auto last = std::find_if(first, expected_.cend(),
                                       [&](const auto& one) { return block_of(one.position) != block; });
        std::vector<storage::settled_record> known;
        const auto read = storage::for_each_settled(store_, log_position{block << block_bits},
                                                    log_position{(block + 1) << block_bits},
                                                    [&](const auto& settled) { known.push_back(settled); });
        if (!read.ok())
            return complain("what became of halves and delayed messages can't be read: " +
                            read.failure().message);
        compare_block(std::move(known), first, last);
        first = last;
    }
    expected_.clear();
}

void delivery_audit::compare_block(std::vector<storage::settled_record> known,
                                   std::vector<expectation>::const_iterator first,
                                   std::vector<expectation>::const_iterator last) {
    const auto by_position = [](const auto& one, const auto& other) { return one.position < other.position; };
    std::sort(known.begin(), known.end(), by_position);
    for (; first != last; ++first) {
        const auto found = std::lower_bound(known.begin(), known.end(), *first, by_position);
        const bool present = found != known.end() && found->position == first->position;
        if (!first->fate && !present)
            complain("the delayed message neither waits nor is it noted as delivered", first->position);
        if (first->fate && !present)
            complain("by the log " + describe(*first->fate) + "; this is not noted", first->position);
        if (first->fate && present && !(*found == *first->fate))
            complain("by the log " + describe(*first->fate) + "; noted is: " + describe(*found),
                     first->position);
    }
}

void delivery_audit::compare(const state& expected) {
    look_up_settled();
    std::uint64_t noted = 0;
    const auto counted =
        storage::for_each_settled(store_, expected.first_position(), no_end, [&](const auto&) { ++noted; });
    if (!counted.ok())
        complain("what became of halves and delayed messages can't be read: " + counted.failure().message);
    else if (noted > settled_)
        complain("it notes the end of " + std::to_string(noted) +
                 " halves and delayed messages, the log that of " + std::to_string(settled_));
    report_.settled = settled_;
    compare_halves(expected);
    compare_delayed(expected);
}

void delivery_audit::compare_halves(const state& expected) {
    expected.halves().walk(log_position{0}, [&](const half_message& half) {
        const auto* const found = stored_.halves().find(half.position);
        if (found == nullptr)
            complain("the undecided half is missing", half.position);
        else if (!(*found == half))
            complain("what is kept of the undecided half (queue, checks) is not that of the log",
                     half.position);
        return true;
    });
    stored_.halves().walk(log_position{0}, [&](const half_message& half) {
        if (expected.halves().find(half.position) == nullptr)
            complain("the half counts as undecided; by the log it is decided or was never there",
                     half.position);
        return true;
    });
    report_.halves = stored_.halves().size();
}

void delivery_audit::compare_delayed(const state& expected) {
    std::uint64_t waiting = 0;
    for (const auto& [block, use] : expected.ledger().blocks())
        waiting += use.pending;
    std::uint64_t stored = 0;
    const std::string behind{'y' + 1};
    const auto& cursor = stored_.delay().cursor;
    const auto scanned = store_.scan("y", behind, [&](std::string_view key, std::string_view value) {
        const auto message = storage::decode_delayed(key, value);
        if (!message)
            complain("the table of delayed messages holds something that does not follow its format");
        else if (message->key > cursor)
            ++stored;
        return true;
    });
    if (!scanned.ok())
        return complain("the table of delayed messages can't be read: " + scanned.failure().message);
    report_.delayed = stored;
    if (waiting != waiting_ || stored != waiting_)
        complain("by the log " + std::to_string(waiting) + " delayed messages wait; the table has " +
                 std::to_string(stored) + ", of which the log has " + std::to_string(waiting_));
    if (!(expected.delay() == stored_.delay()))
        complain("how far the delayed messages are delivered is not what the log says");
    if (expected.ledger().blocks() != stored_.ledger().blocks())
        complain("which parts of the log are still needed is not what the log says");
}

} // namespace holdfast::broker
